# ./aisio dist: makes an image of the command line that needs nothing but a Linux, and one of the tests. Sourced by
# ./aisio; needs bash, a JDK with jlink, tar and gzip.
#
#   FOLDER/aisio-VERSION-linux-x64          aisio (the launcher), app, runtime (a Java made by jlink), licences, VERSION
#   FOLDER/aisio-VERSION-linux-x64.tar.gz   the same
#   FOLDER/aisio-VERSION-tests.tar.gz       with --tests: all rooms' tests, and run-tests, which runs them on that image
#
# All is made in a hidden folder within FOLDER, and renamed when it is whole.

# What the rooms and their libraries require, and no more; a module that is missing fails the start of every command.
# The tests' libraries ask for java.logging.
dist_modules=java.base,java.logging,java.management,java.xml,jdk.httpserver,jdk.management,jdk.unsupported

dist() {
    local argument folder='' tests=''
    for argument; do
        case $argument in
        # The help is where that of all commands is.
        -h | --help | -V | --version) return 0 ;;
        esac
    done
    while [ $# != 0 ]; do
        case $1 in
        --tests) tests=tests ;;
        -*) say "no option '$1'; see ./aisio dist --help"; exit 2 ;;
        '') say "the folder's name is empty; see ./aisio dist --help"; exit 2 ;;
        *)
            [ -z "$folder" ] || { say "no argument '$1': the folder is $folder; see ./aisio dist --help"; exit 2; }
            folder=$1
            ;;
        esac
        shift
    done
    [[ $folder != -* ]] || folder=./$folder
    dist_check_platform
    dist_make_folder "${folder:-$root/target/dist}"
    if [ "${AISIO_BUILD:-}" != never ] && { [ -n "$tests" ] || is_stale; }; then
        build "${tests:-app}"
    fi
    [ -e "$stamp" ] && { [ -z "$tests" ] || [ -d "$root/target/test-libraries" ]; } ||
        dist_fail "not built, and AISIO_BUILD=never; next: start ./aisio once without it"
    dist_image
    [ -z "$tests" ] || dist_tests
    dist_hand_over
    exit 0
}

dist_check_platform() {
    local program
    [ "$(uname -s)" = Linux ] || dist_fail "needs Linux; this is $(uname -s)"
    case $(uname -m) in
    x86_64) platform=linux-x64 ;;
    *) platform=linux-$(uname -m) ;;
    esac
    for program in tar gzip; do
        command -v "$program" >/dev/null || dist_fail "needs the program $program; next: apt-get install $program"
    done
    find_jdk build || { explain_jdk build; exit 1; }
    [ -x "$jdk/bin/jlink" ] || dist_fail "the JDK $jdk has no jlink; next: apt-get install openjdk-25-jdk-headless (or temurin-25-jdk), or set JAVA_HOME to one that has it"
    version=$(sed -n 's:^ *<version>\(.*\)</version>.*:\1:p' "$root/pom.xml" | head -n 1)
    [ -n "$version" ] || dist_fail "no version in $root/pom.xml"
    image=aisio-$version-$platform
    test_image=aisio-$version-tests
}

# Sets part, the hidden folder, which goes whatever happens.
dist_make_folder() {
    { mkdir -p "$1" && folder=$(readlink -e "$1") && [ -w "$folder" ]; } 2>/dev/null ||
        dist_fail "cannot write into the folder $1; next: name another, ./aisio dist FOLDER"
    local name
    for name in "$image" "$image.tar.gz" "$test_image.tar.gz"; do
        dist_is_ours "$folder/$name" || dist_fail "$folder/$name is there, and no image; next: move it away, or name another folder"
    done
    trap 'dist_clean_up' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    part=$(mktemp -d "$folder/.aisio-dist.XXXXXX") || dist_fail "cannot write into the folder $folder"
}

# Whether nothing is there, or what an earlier call left.
dist_is_ours() {
    case $1 in
    *.tar.gz) [ ! -e "$1" ] || [ -f "$1" ] ;;
    *) [ ! -e "$1" ] || [ -e "$1/VERSION" ] ;;
    esac
}

dist_clean_up() {
    [ -n "${part:-}" ] || return 0
    local name
    # What was there before, and nothing took the place of yet.
    for name in "$image" "$image.tar.gz" "$test_image.tar.gz"; do
        [ ! -e "$part/old/$name" ] || [ -e "$folder/$name" ] || mv -T "$part/old/$name" "$folder/$name"
    done
    rm -rf "$part"
}

dist_image() {
    local tree=$part/$image
    say "making $image with Java $jdk_version"
    mkdir -p "$tree/app" "$tree/licences" || dist_full
    "$jdk/bin/jlink" --add-modules "$dist_modules" --compress=zip-9 --strip-debug --no-header-files --no-man-pages \
        --output "$tree/runtime" >"$part/jlink.log" 2>&1 || dist_say_why "jlink of $jdk failed" "$part/jlink.log"
    {
        cp -R "$app/lib" "$tree/app/lib" &&
            cp "$root/cli/src/main/sh/start.sh" "$tree/app/start.sh" &&
            cp "$root/cli/src/main/sh/image.sh" "$tree/aisio" &&
            cp "$root/LICENSE" "$tree/LICENSE" &&
            cp "$root"/cli/src/main/licences/* "$tree/licences/" &&
            cp -R "$root/workflows" "$tree/workflows" &&
            dist_version >"$tree/VERSION" &&
            chmod -R u=rwX,go=rX "$tree" &&
            chmod 755 "$tree/aisio"
    } 2>"$part/copy.log" || dist_say_why "the image could not be written" "$part/copy.log"
    # It must start, before anybody is handed it.
    AISIO_BUILD=never "$tree/aisio" --version >"$part/start.log" 2>&1 ||
        dist_say_why "the image does not start" "$part/start.log"
    dist_archive "$image"
}

dist_tests() {
    local tree=$part/$test_image
    say "making $test_image"
    mkdir -p "$tree/rooms" || dist_full
    {
        dist_copy_tests &&
            cp "$root/cli/src/test/sh/run-tests" "$root/rig/gpu-check" "$root/LICENSE" "$tree/" &&
            cp -R "$root/cuda/src/test/cuda" "$tree/cuda" &&
            cp -R "$root/cuda/src/main/resources/io/aisio/cuda/kernels" "$tree/cuda/kernels" &&
            dist_version >"$tree/VERSION" &&
            chmod -R u=rwX,go=rX "$tree" &&
            chmod 755 "$tree/run-tests" "$tree/gpu-check"
    } 2>"$part/copy.log" || dist_say_why "the tests' image could not be written" "$part/copy.log"
    dist_archive "$test_image"
}

# The rooms' own jars and libraries come from the image. Jazzer has a program of its own for each system, is as large as
# all else, and serves one test, which says that it is not there.
dist_copy_tests() {
    local room jar
    for room in "$root"/*/; do
        room=${room%/}
        [ -d "$room/src/test/java" ] && [ -d "$room/target/test-classes" ] || continue
        cp -R "$room/target/test-classes" "$tree/rooms/${room##*/}" || return
    done
    # What these test is in no image.
    cp -R "$root/examples/target/classes/." "$tree/rooms/examples/" || return
    mkdir "$tree/lib" || return
    for jar in "$root"/target/test-libraries/*.jar; do
        case ${jar##*/} in
        aisio-*.jar | jazzer-*.jar) ;;
        *) cp "$jar" "$tree/lib/" || return ;;
        esac
    done
    # They lie there without their versions.
    for jar in "$app"/lib/*.jar; do
        jar=${jar##*/}
        rm -f "$tree/lib/${jar%.jar}"-[0-9]*.jar || return
    done
}

# What an image is made of; the commit where the sources are in Git, with a + if they differ from it.
dist_version() {
    local commit
    echo "aisio $version"
    echo "platform $platform"
    echo "java $(sed -n 's/^JAVA_RUNTIME_VERSION="\(.*\)"$/\1/p' "$jdk/release")"
    if commit=$(git -C "$root" rev-parse HEAD 2>/dev/null); then
        [ -z "$(git -C "$root" status --porcelain --untracked-files=no 2>/dev/null)" ] || commit+=+
        echo "commit $commit"
    fi
}

# The same bytes from the same files: by name, no owners, and one time, that of the build.
dist_archive() {
    local time
    time=$(sed -n 's:.*<project.build.outputTimestamp>\(.*\)</project.build.outputTimestamp>.*:\1:p' "$root/pom.xml")
    (
        set -o pipefail
        tar -C "$part" --sort=name --mtime="${time:-1970-01-01T00:00:00Z}" --owner=0 --group=0 --numeric-owner \
            --format=gnu -cf - "$1" | gzip -n >"$part/$1.tar.gz"
    ) 2>"$part/tar.log" || dist_say_why "$1.tar.gz could not be written" "$part/tar.log"
}

# From here on nothing is written, only renamed.
dist_hand_over() {
    local name old
    old=$part/old
    mkdir "$old" || dist_full
    for name in "$image" "$image.tar.gz" ${tests:+"$test_image.tar.gz"}; do
        if [ -e "$folder/$name" ]; then
            mv -T "$folder/$name" "$old/$name" || dist_fail "cannot replace $folder/$name"
        fi
        mv -T "$part/$name" "$folder/$name" || dist_fail "cannot write $folder/$name"
    done
    printf '%-8s %s\n' "$(dist_size "$folder/$image")" "$folder/$image"
    printf '%-8s %s\n' "$(dist_size "$folder/$image.tar.gz")" "$folder/$image.tar.gz"
    [ -z "$tests" ] || printf '%-8s %s\n' "$(dist_size "$folder/$test_image.tar.gz")" "$folder/$test_image.tar.gz"
}

# In MB, of all bytes that files hold.
dist_size() {
    local bytes
    bytes=$(du -sb --apparent-size "$1" | cut -f 1)
    printf '%d.%d MB' $((bytes / 1000000)) $((bytes / 100000 % 10))
}

dist_say_why() {
    local why
    why=$(grep -v '^ *$' "$2" 2>/dev/null | tail -n 3)
    dist_fail "$1: ${why:-no reason given; $(df -h --output=avail "$part" | tail -n 1 | tr -d ' ') are free in $folder}"
}

dist_full() {
    dist_fail "cannot write into $folder; next: free some 200 MB, or name another folder"
}

dist_fail() {
    say "$1"
    exit 1
}
