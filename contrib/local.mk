EXTRA_DIST += contrib/check contrib/quickstart contrib/packages.sh contrib/schwenkd.service .ci/run

# bash looks for it by the command's name
EXTRA_DIST += contrib/schwenk.bash-completion
install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(bashcompdir)"
	$(INSTALL_DATA) $(srcdir)/contrib/schwenk.bash-completion "$(DESTDIR)$(bashcompdir)/schwenk"
uninstall-local:
	rm -f "$(DESTDIR)$(bashcompdir)/schwenk"
