# Reads what hardware a guest gets. Sourced by rig/run; needs bash, `images` (a folder) and `fail`.
#
#   read_devices FILE    sets machine (QEMU's arguments), controllers (their names), kernel_words, load, driver, iommu
#
# A description is lines of words; # begins a comment. Options are QEMU's (qemu-system-x86_64 -device nvme,help).
#
#   iommu intel|none                          whether there is an IOMMU; the first line
#   load MODULE…                              what is loaded before the command
#   driver NAME                               what every controller is bound to then, instead of what the kernel chose
#   kernel WORD…                              more for the kernel's command line
#   subsystem NAME [OPTIONS]                  for controllers with subsys=NAME
#   controller NAME [OPTIONS]                 behind a hot-plug port of its own: the first is 0000:01:00.0, the next :02:
#   namespace CONTROLLER NSID SIZE [OPTIONS]  SIZE as truncate(1) has it; its image is CONTROLLERnNSID.raw
#   memory NAME SIZE                          a function at 0000:00:05.0 whose BAR 2 is memory, the host's file NAME.raw
#   -ARGUMENT…                                goes to QEMU as it is

read_devices() {
    local file=$1 number=0 line words
    machine=() controllers=() kernel_words=() load=() driver='' iommu=''
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        read -r -a words <<<"${line%%#*}"
        [ "${#words[@]}" = 0 ] || read_device_line "${words[@]}" || fail 2 "$file:$number: $problem"
    done <"$file"
    [ -n "$iommu" ] || fail 2 "$file: no line 'iommu intel' or 'iommu none'"
}

read_device_line() {
    local kind=$1
    shift
    [ -n "$iommu" ] || [ "$kind" = iommu ] || { problem="the first line says 'iommu intel' or 'iommu none'"; return 1; }
    case $kind:$# in
    iommu:1) add_iommu "$1" ;;
    load:*) load+=("$@") ;;
    driver:1) driver=$1 ;;
    kernel:*) kernel_words+=("$@") ;;
    subsystem:[12]) machine+=(-device "nvme-subsys,id=$1${2:+,$2}") ;;
    controller:[12]) add_controller "$@" ;;
    namespace:[34]) add_namespace "$@" ;;
    memory:2) add_memory "$@" ;;
    -*) machine+=("$kind" "$@") ;;
    *) problem="no '$kind' with $# words; see rig/src/test/sh/devices.sh"; return 1 ;;
    esac
}

# QEMU wants it before the devices behind it. Interrupts are remapped too, for which the kernel's part of the interrupt
# controller must be split off.
add_iommu() {
    iommu=$1
    case $1 in
    intel)
        machine+=(-machine kernel-irqchip=split -device intel-iommu,intremap=on,caching-mode=on)
        kernel_words+=(intel_iommu=on)
        ;;
    none) ;;
    *) problem="an IOMMU is intel or none, not '$1'"; return 1 ;;
    esac
}

# Ports lie behind QEMU's other devices and in order, so that the firmware numbers their buses from 1 in that order.
add_controller() {
    local place=$((${#controllers[@]} + 1))
    ((place <= 12)) || { problem='no more than 12 controllers'; return 1; }
    [[ $1 =~ ^[a-z][a-z0-9]*$ ]] || { problem="a controller is called as nvme0 is, not '$1'"; return 1; }
    controllers+=("$1")
    machine+=(
        -device "pcie-root-port,id=port-$1,chassis=$place,slot=$place,addr=$(printf '0x%x' $((15 + place)))"
        -device "nvme,id=$1,bus=port-$1${2:+,$2}"
    )
}

# Sparse: a namespace takes the room of what is written to it. An image that is there is taken as it is.
add_namespace() {
    local name=$1n$2 image=$images/$1n$2.raw
    [ -e "$image" ] || truncate -s "$3" "$image" || { problem="no image $image of size $3 could be made"; return 1; }
    machine+=(
        -drive "file=${image//,/,,},format=raw,if=none,id=$name"
        -device "nvme-ns,drive=$name,bus=$1,nsid=$2${4:+,$4}"
    )
}

# What another device's memory is to a controller, and the host can look at.
add_memory() {
    local image=$images/$1.raw
    [ -e "$image" ] || truncate -s "$2" "$image" || { problem="no file $image of size $2 could be made"; return 1; }
    machine+=(
        -object "memory-backend-file,id=$1,share=on,size=$2,mem-path=${image//,/,,}"
        -device "ivshmem-plain,memdev=$1,addr=0x5"
    )
}
