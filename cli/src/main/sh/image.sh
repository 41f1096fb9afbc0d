#!/usr/bin/env bash
# AiSIO for the JVM: starts the command line on the Java that lies beside it. Needs no JDK, no network, no HOME.
#
#   ./aisio --help
#
# AISIO_JAVA_OPTS   more flags for the JVM, split at spaces, after ours
# AISIO_BUILD       never: make nothing, also not the archive that lets later starts be faster
# AISIO_DEBUG       1: stack traces with errors, as --debug
#
# Exit codes: 0 done, 1 failed, 2 wrong usage, 70 a fault of AiSIO's own, 130 Ctrl-C.
set -u

here=$(readlink -f "${BASH_SOURCE[0]}")
root=${here%/*}
app=$root/app
archive=$app/start.aot
# shellcheck source=start.sh
. "$app/start.sh"

if [ ! -x "$root/runtime/bin/java" ]; then
    printf 'aisio: no program %s, so this image is not whole; next: unpack it again\n' "$root/runtime/bin/java" >&2
    exit 1
fi
describe_java "$root/runtime" "$root" "$app/lib"
if [ "${AISIO_BUILD:-}" != never ] && [ ! -e "$archive" ] && [ -w "$app" ]; then
    [ ! -t 2 ] || printf 'aisio: the first start makes what lets later ones be faster; some seconds\n' >&2
    make_archive "$archive"
fi
start "$archive" "$@"
