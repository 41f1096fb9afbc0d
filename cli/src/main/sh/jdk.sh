# Finds a Java that AiSIO can run on. Sourced by ./aisio and ./check; needs bash.
#
#   find_jdk run      sets jdk (its folder) and jdk_version, or returns 1
#   find_jdk build    the same, but only one that has javac
#   explain_jdk …     says on stderr what was looked for, what was found, and how to get one
#
# Versions are read from the file `release` that every JDK carries: starting a Java to ask it would cost 50 ms each.

# Earlier builds of 25 may move pinned heap memory (JDK-8377811).
jdk_least=25.0.3

find_jdk() {
    local purpose=$1 best='' best_version='' best_rank=0 dir
    local home=${HOME:-/nonexistent}
    local folders=(/usr/lib/jvm/* /opt/*jdk* /opt/java/* /usr/local/*jdk* "$home"/.sdkman/candidates/java/*
        "$home"/.jdks/* "$home"/.local/share/mise/installs/java/*)
    [ -z "${AISIO_JDK_PATH+set}" ] || IFS=: read -r -a folders <<<"$AISIO_JDK_PATH"
    jdk='' jdk_seen=()
    for dir in "${JAVA_HOME:-}" "$(jdk_on_path)"; do
        if [ -n "$dir" ] && jdk_fits "$dir" "$purpose"; then
            jdk=$dir
            return 0
        fi
    done
    for dir in "${folders[@]}"; do
        if [ -d "$dir" ] && [ ! -L "$dir" ] && jdk_fits "$dir" "$purpose" && ((jdk_rank > best_rank)); then
            best=$dir best_version=$jdk_version best_rank=$jdk_rank
        fi
    done
    jdk=$best jdk_version=$best_version
    [ -n "$jdk" ]
}

# The folder of the `java` on the PATH, links resolved; nothing if there is none.
jdk_on_path() {
    local java
    java=$(command -v java) && java=$(readlink -f "$java") && printf '%s' "${java%/bin/java}"
}

# Whether DIR is new enough and, to build, has a compiler. Notes what it saw in jdk_seen.
jdk_fits() {
    jdk_rank=0
    if ! jdk_read_version "$1"; then
        [ "$1" != "${JAVA_HOME:-}" ] || jdk_seen+=("no Java in $1 (JAVA_HOME)")
        return 1
    fi
    jdk_rank_of "$jdk_version"
    jdk_rank=$rank
    jdk_rank_of "$jdk_least"
    if ((jdk_rank < rank)); then
        jdk_seen+=("$jdk_version in $1, too old")
    elif [ "$2" = build ] && [ ! -x "$1/bin/javac" ]; then
        jdk_seen+=("$jdk_version in $1, without the compiler javac")
    else
        return 0
    fi
    return 1
}

# Sets jdk_version to what DIR/release says.
jdk_read_version() {
    local line
    jdk_version=''
    [ -x "$1/bin/java" ] && [ -r "$1/release" ] || return 1
    while IFS= read -r line || [ -n "$line" ]; do
        if [[ $line == JAVA_VERSION=* ]]; then
            line=${line#JAVA_VERSION=}
            jdk_version=${line//[\"$'\r']/}
            return 0
        fi
    done <"$1/release"
    return 1
}

# Sets rank to a number that orders versions by their first three parts: 25.0.3 below 25.0.10 below 26.
jdk_rank_of() {
    local parts
    IFS=._+- read -r -a parts <<<"$1"
    rank=0
    local i part
    for i in 0 1 2; do
        part=${parts[i]:-0}
        [[ $part =~ ^[0-9]{1,6}$ ]] || part=0
        rank=$((rank * 1000000 + 10#$part))
    done
}

explain_jdk() {
    local what='a Java' found='' one
    [ "$1" = build ] && what='a JDK (with javac)'
    for one in "${jdk_seen[@]}"; do
        [[ $found == *"; $one"* ]] || found+="; $one"
    done
    [ -n "$found" ] || found='; nothing in JAVA_HOME, PATH, /usr/lib/jvm, /opt, ~/.sdkman or ~/.jdks'
    printf 'aisio: needs %s, %s or newer; found %s. Next: apt-get install openjdk-25-jdk (or temurin-25-jdk), or set JAVA_HOME to one\n' \
        "$what" "$jdk_least" "${found#; }" >&2
}
