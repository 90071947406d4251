#!/bin/sh
# Includes point one way (README.md, "Layout"): what each folder of src/ may
# include of the others, and where three libraries' headers may appear.
# Prints every include that goes the wrong way; exit 1 if there is one.
set -u
src=${top_srcdir:-$(dirname "$0")/..}/src
status=0

allowed() {
	case $1 in
	base) echo base ;;
	wire) echo 'base wire' ;;
	store) echo 'base wire store' ;;
	answer|zone|transfer) echo "base wire store $1" ;;
	# control names zones (wire/name.h), nothing more of DNS
	control) echo 'base wire control' ;;
	conf|ipc) echo "base $1" ;;
	daemon) echo 'base wire store answer zone transfer control conf ipc daemon' ;;
	tool) echo 'base wire control conf tool' ;;
	*) echo none ;;
	esac
}

complain() {
	echo "$1: $2" >&2
	status=1
}

for dir in "$src"/*/; do
	from=$(basename "$dir")
	may=$(allowed "$from")
	[ "$may" != none ] || complain "src/$from" "a folder that tests/includes.sh does not know"
	for line in $(grep -rhno '^#[ 	]*include "[a-z0-9_]*/' "$dir" --include='*.[ch]' | sed 's/.*"//; s|/$||' | sort -u); do
		case " $may " in
		*" $line "*) ;;
		*) complain "src/$from" "includes $line/, but may include only: $may" ;;
		esac
	done
done

only_in() {
	for file in $(grep -rl "^#[ 	]*include [<\"]$1" "$src" --include='*.[ch]'); do
		case $file in
		"$src/$2/"*) ;;
		*) complain "${file#"$src/"}" "includes $1: only src/$2 may" ;;
		esac
	done
}
only_in lmdb.h store
only_in ldns zone
only_in event2/ daemon
exit $status
