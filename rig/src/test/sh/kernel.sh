# Makes a Debian kernel ready to boot in the guest rig. Sourced by rig/run; needs bash, `cache`, `root` and `here` (folders),
# `say`, `fail`.
#
#   find_kernel NAME        sets kernel, a folder with
#                             vmlinuz     the kernel as Debian ships it
#                             boot.cpio   busybox and the few modules that it takes to mount the host's /
#                             modules/    all modules, with vfio and iommufd built anew
#                             headers/    what modules are built against, where there are any
#                           and kernel_version; makes the folder if it is not there yet
#   find_kernel NAME fresh  the same, after asking apt whether there is a newer one
#   build_own_modules       sets modules, a folder with kernel's modules and those of this project: udmabuf-import, and what
#                           tests it
#
# NAME is a version (6.12) or a package (linux-image-6.12-amd64). No release is pinned: Debian's archive keeps few, so the
# newest is asked for once, and kept as $cache/named/NAME.
#
# Debian builds no IOMMUFD, no VFIO character devices and no VFIO without an IOMMU, but exports every symbol that these
# need. So drivers/vfio and drivers/iommu/iommufd are compiled from linux-source with the options defined. All of vfio,
# because struct vfio_device has other fields then.

# The sources' layout is that of this version; of others the modules stay as Debian has them.
kernel_rebuilt=6.12
# This project's modules: folders with a Kbuild.
own_modules=("$root/kmod/udmabuf-import" "$here/src/test/c/bar-export")

# Left of 2 GiB at the worst moment of a build: the unpacked packages (700 MB) beside their downloads (280 MB).
kernel_space_mib=2048

# What rig/run wants in the guest, unpacked so that modprobe need not: xz costs a second per MB under TCG.
kernel_unpacked=(nvme nvme-tcp nvmet nvmet-tcp nvme-loop vfio-pci vfio_iommu_type1 iommufd uio_pci_generic
    xfs ext4 btrfs loop fuse ublk_drv null_blk virtio_blk)
kernel_boot=(virtio_pci virtio_console 9pnet_virtio 9p overlay)

find_kernel() {
    local name=$1 fresh=${2:-} image='' named=$cache/named/${1//\//_}
    [[ $name =~ ^[A-Za-z0-9.+-]+$ ]] || fail 2 "no kernel is called '$name'; --kernel takes a version (6.12) or a package"
    # What is built depends on how it is built: another recipe, another folder.
    local recipe
    recipe=$(sha256sum "${BASH_SOURCE[0]}") || exit 125
    recipe=${recipe:0:8}
    kernel_version=''
    if [ -z "$fresh" ] && [ -s "$named" ]; then
        kernel_version=$(<"$named")
    elif resolve_kernel "$name"; then
        kernel_version=${image#linux-image-}
    elif [ -s "$named" ]; then
        kernel_version=$(<"$named")
        say "apt knows no kernel '$name' now; staying with $kernel_version"
    else
        update_packages
        resolve_kernel "$name" || fail 125 "needs a kernel, and apt knows no '$name'; next: apt-get update, or --kernel with one of: $(known_kernels)"
        kernel_version=${image#linux-image-}
    fi
    kernel=$cache/kernels/$kernel_version-$recipe
    [ -e "$kernel/vmlinuz" ] || alone build_kernel
    [ "$(cat "$named" 2>/dev/null)" = "$kernel_version" ] || {
        mkdir -p "$cache/named" && printf '%s\n' "$kernel_version" >"$named.$$" && mv "$named.$$" "$named"
    } || fail 125 "needs to write in $cache; next: AISIO_RIG_CACHE=FOLDER"
}

# Sets image to the package with the kernel itself, which a metapackage depends on.
resolve_kernel() {
    local candidate
    for candidate in "$1" "linux-image-$1-amd64" linux-image-amd64; do
        [[ $candidate == linux-image-* ]] || continue
        image=$(ask_apt depends "$candidate" | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ {print $2; exit}')
        if [ -z "$image" ] && ask_apt show "$candidate" | grep -q '^Filename:'; then
            image=$candidate
        fi
        [ -n "$image" ] || continue
        [[ $1 == linux-image-* || $image == "linux-image-$1."* ]] && return 0
    done
    image=''
    return 1
}

known_kernels() {
    ask_apt pkgnames linux-image- | grep -E '^linux-image-([0-9]+\.[0-9]+-)?amd64$' | sort | tr '\n' ' '
}

ask_apt() {
    LC_ALL=C apt-cache "$@" 2>/dev/null
}

# Calls a function; one builds, others wait for it.
alone() {
    local lock
    mkdir -p "$cache/kernels" "$cache/downloads" || fail 125 "needs to write in $cache; next: AISIO_RIG_CACHE=FOLDER"
    exec {lock}>"$cache/lock"
    if ! flock -n "$lock"; then
        say "another start is making a kernel ready; waiting for it"
        flock "$lock"
    fi
    "$1"
    exec {lock}>&-
}

# In a folder of its own, which gets its name when all is there: a build that was cut off leaves no half of one.
build_kernel() {
    local began=$SECONDS free work
    [ ! -e "$kernel/vmlinuz" ] || return 0
    free=$(df --output=avail -m "$cache" | tail -n 1)
    ((free >= kernel_space_mib)) ||
        fail 125 "needs $kernel_space_mib MiB in $cache, where $free are free; next: make room, or AISIO_RIG_CACHE=FOLDER"
    require_build_tools
    rm -rf "$cache"/kernels/.building.*
    work=$(mktemp -d "$cache/kernels/.building.XXXXXX") || exit 125
    fetch_kernel
    unpack_kernel
    if [[ $kernel_version == "$kernel_rebuilt".* ]]; then
        rebuild_vfio
    else
        say "vfio stays as Debian builds it: only that of $kernel_rebuilt can be built anew (no IOMMUFD, no VFIO without IOMMU)"
    fi
    collect_modules
    make_boot_archive
    [ ! -d "$work/root/usr/src/linux-headers-$kernel_version" ] || keep_headers
    # Another user may be given the cache to boot from.
    chmod -R a+rX "$work/result"
    mv -T "$work/result" "$kernel" || exit 125
    rm -rf "$work"
    say "kernel $kernel_version is ready in $kernel, after $((SECONDS - began)) s"
}

require_build_tools() {
    require_packages kmod:modprobe kmod:depmod cpio:cpio xz-utils:xz dpkg:dpkg-deb make:make binutils:strip
    local compiler
    compiler=$(ask_apt depends "linux-headers-$kernel_version" | awk '$1 == "Depends:" && $2 ~ /^gcc-[0-9]+$/ {print $2; exit}')
    require_packages "${compiler:-gcc}:${compiler:-gcc}" libelf1:/usr/lib/x86_64-linux-gnu/libelf.so.1
}

fetch_kernel() {
    local began=$SECONDS base=${kernel_version%-*} release
    release=$(ask_apt show "linux-image-$kernel_version" | awk '$1 == "Version:" {print $2; exit}')
    local packages=("linux-image-$kernel_version=$release" busybox-static)
    if [[ $kernel_version == "$kernel_rebuilt".* ]]; then
        packages+=("linux-headers-$kernel_version=$release" "linux-headers-$base-common=$release"
            "linux-kbuild-$base=$release" "linux-source-$kernel_rebuilt=$release")
    fi
    mkdir "$work/debs"
    if ! download "${packages[@]}"; then
        update_packages
        download "${packages[@]}" ||
            fail 125 "needs packages that could not be downloaded: ${packages[*]} ($(tail -n 1 "$work/apt.log")); next: let this machine reach a Debian mirror once, and have apt-get update done"
    fi
    say "kernel $kernel_version downloaded, $(du -sm "$work/debs" | cut -f 1) MB in $((SECONDS - began)) s"
}

# The downloads are kept, for when the recipe changes: apt does not fetch again what is there.
download() {
    (cd "$cache/downloads" &&
        timeout 600 apt-get -q -o APT::Sandbox::User="$(id -un)" download "$@" >"$work/apt.log" 2>&1) || return
    local package file
    for package in "$@"; do
        # shellcheck disable=SC2012
        file=$(ls -t "$cache/downloads/${package%%=*}"_*.deb | head -n 1) && ln "$file" "$work/debs/" || return
    done
}

unpack_kernel() {
    local deb
    mkdir "$work/root"
    for deb in "$work"/debs/*.deb; do
        [[ $deb == */linux-source-* ]] || dpkg-deb -x "$deb" "$work/root" || exit 125
    done
    modules=$work/root/lib/modules/$kernel_version
    [ -d "$modules/kernel" ] || fail 125 "package linux-image-$kernel_version has no folder lib/modules/$kernel_version/kernel"
    rm -f "$modules/build" "$modules/source"
}

rebuild_vfio() {
    local began=$SECONDS source=$work/source out=$work/vfio headers=$work/root/usr/src/linux-headers-$kernel_version
    mkdir -p "$source" "$out/iommu/iommufd" "$out/vfio/pci" "$modules/updates"
    dpkg-deb --fsys-tarfile "$work"/debs/linux-source-*.deb |
        tar -xO "./usr/src/linux-source-$kernel_rebuilt.tar.xz" | xz -T0 -dc |
        tar -x -C "$source" --strip-components=1 --wildcards '*/drivers/vfio' '*/drivers/iommu' '*/lib/interval_tree.c' ||
        fail 125 "linux-source-$kernel_rebuilt could not be unpacked"
    cp "$source"/drivers/iommu/*.h "$out/iommu/"
    cp "$source"/drivers/iommu/iommufd/*.[ch] "$out/iommu/iommufd/"
    cp "$source"/drivers/vfio/*.[ch] "$out/vfio/"
    cp "$source"/drivers/vfio/pci/*.[ch] "$out/vfio/pci/"
    # The part of the interval tree that only IOMMUFD has the kernel compile.
    {
        printf '#include <linux/interval_tree.h>\n#include <linux/compiler.h>\n'
        sed -n '/^#ifdef CONFIG_INTERVAL_TREE_SPAN_ITER/,$p' "$source/lib/interval_tree.c" | sed '/EXPORT_SYMBOL/d'
    } >"$out/iommu/iommufd/span_iter.c"
    cat >"$out/Makefile" <<-'END'
		subdir-ccflags-y += -DCONFIG_IOMMUFD_MODULE=1 -DCONFIG_IOMMUFD_DRIVER=1 -DCONFIG_INTERVAL_TREE_SPAN_ITER=1
		subdir-ccflags-y += -DCONFIG_VFIO_DEVICE_CDEV=1 -DCONFIG_VFIO_NOIOMMU=1
		obj-m += iommu/iommufd/ vfio/
	END
    cat >"$out/iommu/iommufd/Makefile" <<-'END'
		obj-m += iommufd.o
		iommufd-y := device.o fault.o hw_pagetable.o io_pagetable.o ioas.o main.o pages.o vfio_compat.o
		iommufd-y += iova_bitmap.o span_iter.o
	END
    cat >"$out/vfio/Makefile" <<-'END'
		obj-m += vfio.o vfio_iommu_type1.o pci/
		vfio-y := vfio_main.o device_cdev.o group.o iommufd.o container.o virqfd.o
	END
    cat >"$out/vfio/pci/Makefile" <<-'END'
		obj-m += vfio-pci-core.o vfio-pci.o
		vfio-pci-core-y := vfio_pci_core.o vfio_pci_intrs.o vfio_pci_rdwr.o vfio_pci_config.o
		vfio-pci-y := vfio_pci.o vfio_pci_igd.o
	END
    # The headers name their own place absolutely, and are unpacked elsewhere.
    sed -i "s#/usr/src/#$work/root/usr/src/#" "$headers/Makefile"
    # Without the switch, make wants pahole, for debug information that nobody reads here.
    make -s -j"$(nproc)" -C "$headers" M="$out" CONFIG_DEBUG_INFO_BTF_MODULES= modules >"$cache/build.log" 2>&1 ||
        fail 125 "vfio could not be built for $kernel_version; next: see $cache/build.log"
    # depmod prefers what lies in updates.
    find "$out" -name '*.ko' -exec cp -t "$modules/updates" {} +
    strip -g "$modules"/updates/*.ko
    say "vfio and iommufd built in $((SECONDS - began)) s"
}

# Everything but the sources of vfio that a module is built against; they name their own place.
keep_headers() {
    local headers=$work/result/headers/usr/src/linux-headers-$kernel_version
    mkdir -p "$work/result/headers/usr"
    mv "$work/root/usr/src" "$work/root/usr/lib" "$work/result/headers/usr/" || exit 125
    sed -i "s#$work/root/usr/src/#$kernel/headers/usr/src/#" "$headers/Makefile"
}

# Beside the kernel's, as hard links, in a folder by what ours are built of: work on them costs seconds. A kernel of which
# there are no headers goes without.
build_own_modules() {
    local sources
    modules=$kernel/modules
    [ -d "$kernel/headers" ] || return 0
    sources=$({ cat "${BASH_SOURCE[0]}" && own_sources "${own_modules[@]}" | xargs -d '\n' cat; } | sha256sum) || exit 125
    modules=$kernel/modules-${sources:0:8}
    [ -e "$modules" ] || alone build_modules
}

# The files of these folders that a module is made of, but not what a build left there.
own_sources() {
    find "$@" -maxdepth 1 -type f \( -name '[!.]*.[ch]' ! -name '*.mod.c' -o -name Kbuild \) | LC_ALL=C sort
}

build_modules() {
    local began=$SECONDS work out folder
    [ ! -e "$modules" ] || return 0
    require_build_tools
    rm -rf "$cache"/kernels/.building.*
    work=$(mktemp -d "$cache/kernels/.building.XXXXXX") || exit 125
    out=$work/lib/modules/$kernel_version
    mkdir -p "${out%/*}"
    cp -al "$kernel/modules" "$out" && mkdir -p "$out/updates" || exit 125
    for folder in "${own_modules[@]}"; do
        mkdir "$work/${folder##*/}"
        own_sources "$folder" | xargs -d '\n' cp -t "$work/${folder##*/}" || exit 125
        # Warnings are errors here, and nowhere else: other compilers have others.
        make -s -j"$(nproc)" -C "$kernel/headers/usr/src/linux-headers-$kernel_version" M="$work/${folder##*/}" \
            CONFIG_DEBUG_INFO_BTF_MODULES= KCFLAGS=-Werror W=1 modules >"$cache/build.log" 2>&1 ||
            fail 125 "${folder##*/} could not be built for $kernel_version; next: see $cache/build.log"
        strip -g "$work/${folder##*/}"/*.ko
        mv "$work/${folder##*/}"/*.ko "$out/updates/"
    done
    depmod -b "$work" "$kernel_version" || exit 125
    chmod -R a+rX "$out/updates"
    mv -T "$out" "$modules" || exit 125
    rm -rf "$work"
    say "${#own_modules[@]} modules built for $kernel_version in $((SECONDS - began)) s"
}

# Sets nothing; leaves result/modules, where modprobe finds every module, and finds those unpacked that the rig loads.
collect_modules() {
    local file
    depmod -b "$work/root" "$kernel_version" || exit 125
    list_modules "${kernel_boot[@]}" "${kernel_unpacked[@]}" | while IFS= read -r file; do
        [[ $file != *.xz ]] || xz -d "$file"
    done
    depmod -b "$work/root" "$kernel_version" || exit 125
    mkdir "$work/result"
    cp "$work/root/boot/vmlinuz-$kernel_version" "$work/result/vmlinuz" || exit 125
}

# The files of these modules and of what they need, each after what it needs; of what is built in, none.
list_modules() {
    local module
    for module in "$@"; do
        modprobe -d "$work/root" -S "$kernel_version" --show-depends "$module" 2>/dev/null
    done | awk '$1 == "insmod" && !seen[$2]++ {print $2}'
}

make_boot_archive() {
    local boot=$work/boot file
    mkdir -p "$boot"/bin "$boot"/{dev,proc,sys,lower,upper,root,lib/modules}
    cp "$work/root/bin/busybox" "$boot/bin/" || exit 125
    ln -s busybox "$boot/bin/sh"
    list_modules "${kernel_boot[@]}" | while IFS= read -r file; do
        cp "$file" "$boot/lib/"
        # In the order in which init inserts them.
        printf '%s\n' "${file##*/}" >>"$boot/lib/order"
    done
    (cd "$boot" && find . | cpio -o -H newc -R 0:0 --quiet) >"$work/result/boot.cpio" || exit 125
    mv "$modules" "$work/result/modules"
}
