EXTRA_DIST += contrib/check contrib/quickstart contrib/packages.sh contrib/schwenkd.service .ci/run
