# Starts the command line (io.aisio.cli) on a Java. Sourced by ./aisio and by the launcher of an image; needs bash.
#
#   describe_java JDK HOME LIBRARIES   sets java and program: the JVM's command line, before and after what differs
#   make_archive ARCHIVE               makes the JVM's archive of ready-made classes, where it can
#   start ARCHIVE [ARGUMENT…]          becomes the command line; with the archive if it is there
#
# AISIO_JAVA_OPTS   more flags for the JVM, split at spaces, after ours

describe_java() {
    # Names of files are UTF-8 to us, also where nothing says so (a bare container).
    case ${LC_ALL:-${LC_CTYPE:-${LANG:-}}} in
    *[Uu][Tt][Ff]*8*) ;;
    *) export LC_ALL=C.UTF-8 ;;
    esac
    java=(
        "$1/bin/java"
        # One small heap, collected by the thread that fills it: what moves data is not on the heap. Of 16 MiB no more
        # than 5 would be young, and to index a million files take 88 collections.
        -XX:+UseSerialGC -Xms64m -Xmn32m
        # The JVM's own notes are not the program's output; a stale or foreign archive is none of the user's business.
        -Xlog:disable -Xlog:all=warning:stderr -Xlog:aot*=off:stderr -Xlog:cds*=off:stderr
        --enable-native-access=io.aisio.linux
    )
    program=("-Daisio.home=$2" --module-path "$3" --module io.aisio.cli/io.aisio.cli.Aisio)
}

# Keeps the classes that a start loads ready-made in a file that the JVM maps (JEP 514), which halves the time of a
# start, and what the JVM learned of the code that indexes a file system (JEP 515), which it then compiles at once. Only
# a convenience: all works without it. An empty one says that it could not be made.
make_archive() {
    local part
    part=$(mktemp "${1%/*}/archive.XXXXXX" 2>/dev/null) || return 0
    trap 'rm -f "$part" "$part".*; exit 130' INT TERM
    "${java[@]}" "-XX:AOTCacheOutput=$part" "${program[@]}" train >/dev/null 2>&1
    # Renamed, not written in place: a running JVM may have the old one mapped.
    mv -f "$part" "$1"
    rm -f "$part".*
    trap - INT TERM
}

start() {
    local more=()
    [ ! -s "$1" ] || more=("-XX:AOTCache=$1")
    shift
    # Split at spaces on purpose.
    # shellcheck disable=SC2206
    more+=(${AISIO_JAVA_OPTS:-})
    exec "${java[@]}" "${more[@]}" "${program[@]}" "$@"
}
