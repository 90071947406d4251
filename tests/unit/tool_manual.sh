#!/bin/sh
# schwenk.1 describes every command of `schwenk --help`, and in each command's
# part every option of its own; and no other ones.
set -u
# hundreds of starts of the tool for its --help: not under sanitizers
[ -z "${SCHWENK_SMALL:-}" ] || exit 77
top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
tool=${top_builddir:-$PWD}/src/tool/schwenk
page=$top/src/tool/schwenk.1
status=0

complain() {
	echo "schwenk.1: $*" >&2
	status=1
}

commands=$("$tool" --help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p')
[ "$(echo "$commands" | wc -l)" -ge 30 ] || complain "the list of commands is too short: $commands"

# part COMMAND: from its .It to the next command's, in words.
part() {
	awk -v want="$1" '
		/^\.It Ic / {
			name = ""
			for (i = 3; i <= NF && $i ~ /^[a-z]+$/; i++)
				name = name (i > 3 ? " " : "") $i
			on = name == want
			at_all = at_all || on
		}
		/^\.S[hs] / { on = 0 }
		on { print }
		END { exit !at_all }' "$page"
}

# The options of a command by --help: long names.
options() {
	"$tool" $1 --help | sed -n 's/^  ....--\([a-z-]*\).*/\1/p'
}

# The long options that a part of the page names: "Fl -name", "| -name".
named() {
	grep -v '^\.Bl' | tr ' ' '\n' | sed -n 's/^-\([a-z][a-z-]*\)$/\1/p' | sort -u
}

while IFS= read -r command; do
	text=$(part "$command") || { complain "no \".It Ic $command\""; continue; }
	for option in $(options "$command"); do
		echo "$text" | named | grep -qx -- "$option" || complain "$command lacks --$option"
	done
	for option in $(echo "$text" | named); do
		options "$command" | grep -qx -- "$option" || [ "$command $option" = "history follow" ] ||
			complain "$command: there is no --$option"
	done
done <<LIST
$commands
LIST

# The options of all commands.
for option in $("$tool" --help | sed -n 's/^  ....--\([a-z-]*\).*/\1/p'); do
	grep -q "Fl -$option" "$page" || complain "lacks --$option"
done

# What the page has, the tool has.
for command in $(sed -n 's/^\.It Ic \([a-z]*\).*/\1/p' "$page" | sort -u); do
	echo "$commands" | grep -q "^$command\( \|\$\)" || complain "the tool has no command $command"
done

if command -v mandoc >/dev/null; then
	# where the other pages are, and how old the system's index is, is not ours
	mandoc -Tlint -Wstyle "$page" 2>&1 | grep -v 'referenced manual not found\|outdated mandoc.db' && complain "see mandoc's messages"
fi
exit $status
