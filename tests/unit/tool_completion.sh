#!/bin/bash
# contrib/schwenk.bash-completion, sourced, with a tool that stands between the
# real one and its daemon: what is offered for what was typed.
set -u
# hundreds of starts of the tool for its --help: not under sanitizers
[ -z "${SCHWENK_SMALL:-}" ] || exit 77
top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
built=${top_builddir:-$PWD}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
tried=0 failed=0 passed=0

# Names by the daemon's rules; all else from the real tool.
cat > "$dir/schwenk" <<FAKE
#!/bin/sh
echo "\$*" >> "$dir/log"
[ "\$1" != -s ] || shift 2
case "\$1 \$2" in
'complete zones') printf '%s\n' shop.example shop2.example 'a\`touch \$HOME\`.example' ;;
'complete groups') printf '%s\n' shops cdns ;;
'complete sets')
	case \$3 in
	*@*) printf '%s\n' "\${3%@*}@new" "\${3%@*}@next" "\${3%@*}@old" ;;
	*) printf '%s\n' shop.example shop2.example ;;
	esac ;;
*) exec "$built/src/tool/schwenk" -s /nowhere/socket "\$@" ;;
esac
FAKE
chmod +x "$dir/schwenk"
PATH=$dir:$PATH
. "$top/contrib/schwenk.bash-completion" || exit 99

# Cuts a line at blanks, behind "=" and ":", before "@", as bash does; then asks.
complete_line() {
	local line=$1 c word= i

	COMP_LINE=$line COMP_POINT=${#line} COMP_WORDS=()
	for ((i = 0; i < ${#line}; i++)); do
		c=${line:i:1}
		case $c in
		' ') [ -z "$word" ] || COMP_WORDS+=("$word"); word= ;;
		@) [ -z "$word" ] || COMP_WORDS+=("$word"); word=$c ;;
		[=:])
			[ -z "$word" ] || COMP_WORDS+=("$word")
			COMP_WORDS+=("$c")
			word=
			;;
		*) word+=$c ;;
		esac
	done
	case $line in
	*[=:]) ;;       # the sign itself is the current word
	*) COMP_WORDS+=("$word") ;;
	esac
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
	COMPREPLY=()
	_schwenk
}

# offers LINE WORD...: exactly these, in any order.
offers() {
	local line=$1 found wanted
	shift
	tried=$((tried + 1))
	complete_line "$line" 2>"$dir/said"
	found=$(printf '%s\n' "${COMPREPLY[@]}" | sort)
	wanted=$(printf '%s\n' "$@" | sort)
	if [ "$found" = "$wanted" ] && [ ! -s "$dir/said" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL '$line' offers" ${found:-nothing}, "not" ${wanted:-nothing} "$(cat "$dir/said")"
	fi
}

# has LINE WORD...: these among others.
has() {
	local line=$1 word
	shift
	tried=$((tried + $#))
	complete_line "$line" 2>/dev/null
	for word in "$@"; do
		if printf '%s\n' "${COMPREPLY[@]}" | grep -Fqx -- "$word"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			echo "FAIL '$line' does not offer $word, but ${COMPREPLY[*]}"
		fi
	done
}

offers 'schwenk cu' cutover
offers 'schwenk zon' zone zones
offers 'schwenk zone ' add remove set show
offers 'schwenk group re' remove
offers 'schwenk -q --json con' confirm
offers 'schwenk confirm sho' shop.example shop2.example
offers 'schwenk confirm shop.example shop2' shop2.example
offers 'schwenk -s /run/x confirm shop2' shop2.example
grep -q '^-s /run/x complete zones shop2' "$dir/log" || { echo 'FAIL -s is not passed on'; failed=$((failed + 1)); }
offers 'schwenk cutover shop.e' shop.example
offers 'schwenk cutover shop.example@' @new @next @old
offers 'schwenk cutover shop.example@ne' @new @next
offers 'schwenk cutover shop.example@new shop2.example@o' @old
offers 'schwenk copy shop.example@new @o' @old
offers 'schwenk cutover --group ' cdns shops
offers 'schwenk cutover --group=s' shops
offers 'schwenk rollback --group shops '
offers 'schwenk zones --h' --held --help
offers 'schwenk cutover -m shop.e'
offers 'schwenk cutover --note shop.e'
offers 'schwenk status '
offers 'schwenk cutover shop.example@new --force ' dnskey unsigned
offers 'schwenk cutover --force d' dnskey
offers 'schwenk cutover --force dnskey shop.example@o' @old
# the rules that the daemon knows
for rule in dnskey unsigned; do
	grep -q "strcmp(rule, \"$rule\")" "$top/src/daemon/writer_switch.c" || { echo "FAIL --force $rule"; failed=$((failed + 1)); }
done
offers 'schwenk nonsense '
# where bash does not cut at "@"
complete_whole() {
	complete_line "$1"
	COMP_WORDBREAKS=$' \t\n"\'><=;|&(:' COMPREPLY=()
	_schwenk
	tried=$((tried + 1))
	[ "${COMPREPLY[*]}" = "$2" ] && passed=$((passed + 1)) || { failed=$((failed + 1)); echo "FAIL '$1' offers ${COMPREPLY[*]}"; }
}
complete_whole 'schwenk cutover shop.example@o' shop.example@old
# not run, and safe to be taken over
offers 'schwenk confirm a' 'a\`touch\ \$HOME\`.example'

# files
: > "$dir/a.zone"
offers "schwenk import shop.example@new $dir/a" "$dir/a.zone"
offers "schwenk import shop.example@new --soa $dir/a" "$dir/a.zone"
offers "schwenk import --soa $dir/a.zone shop.example@n" @new @next

# every command, and each of its options
while IFS= read -r name; do
	has "schwenk ${name% *} " $([ "$name" = "${name% *}" ] || echo "${name#* }")
	has "schwenk ${name%% *}" "${name%% *}"
	has "schwenk $name --" $("$built/src/tool/schwenk" $name --help | sed -n 's/^  ....\(--[a-z-]*\) *\([A-Z]\{0,1\}\).*/\1 \2/p' |
		sed 's/ [A-Z]$/=/; s/ $//')
done < <("$built/src/tool/schwenk" --help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p')

# without a daemon: nothing, and no word about it
rm "$dir/schwenk"
ln -s "$built/src/tool/schwenk" "$dir/schwenk"
SCHWENK_SOCKET=$dir/none
export SCHWENK_SOCKET
offers 'schwenk confirm sho'
offers 'schwenk cutover a@'

# bash gives up a whole command at some mistakes: then something is missing
echo "$passed passed, $failed failed, of $tried"
[ "$failed" = 0 ] && [ "$passed" = "$tried" ] && [ "$tried" -gt 100 ]
