# What a machine is, as lines "key<TAB>value". Runs here or over ssh; POSIX sh, and nothing that must be installed.
#
#   sh -s HOME [program:NAME | file:PATH]… <facts.sh
#
# HOME is where AiSIO lies. Of each program and file that is named, a line says where it is, if it is there.
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C

fact() {
    [ -z "$2" ] || printf '%s\t%s\n' "$1" "$(printf '%s' "$2" | tr '\t\n' '  ')"
}
first() {
    head -n 1 "$1" 2>/dev/null
}
# Values of a file of each CPU, each once.
each() {
    cat /sys/devices/system/cpu/cpu[0-9]*/"$1" 2>/dev/null | sort | uniq | tr '\n' ' ' | sed 's/ $//'
}

home=$1
shift
fact user "$(id -u)"
fact kernel "$(uname -r)"
fact architecture "$(uname -m)"
fact system "$(sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' /etc/os-release 2>/dev/null)"
fact cpu.model "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)"
fact cpu.sockets "$(cat /sys/devices/system/cpu/cpu[0-9]*/topology/physical_package_id 2>/dev/null | sort -u | wc -l)"
fact cpu.smt "$(first /sys/devices/system/cpu/smt/control)"
fact cpu.governor "$(each cpufreq/scaling_governor)"
fact cpu.max_khz "$(each cpufreq/cpuinfo_max_freq)"
turbo=$(first /sys/devices/system/cpu/cpufreq/boost)
case $(first /sys/devices/system/cpu/intel_pstate/no_turbo) in
0) turbo=1 ;;
1) turbo=0 ;;
esac
case $turbo in
1) fact cpu.turbo on ;;
0) fact cpu.turbo off ;;
esac
fact cpus.allowed "$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)"
topology=
for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
    [ -e "$cpu/topology/core_id" ] || continue
    topology="$topology ${cpu##*/cpu}/$(first "$cpu/topology/physical_package_id")/$(first "$cpu/topology/core_id")"
done
fact cpus.topology "${topology# }"
fact numa.nodes "$(ls -d /sys/devices/system/node/node[0-9]* 2>/dev/null | wc -l)"
fact memory.kib "$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)"
fact hugepages "$(sed -n 's/^HugePages_Total: *//p' /proc/meminfo) of $(sed -n 's/^Hugepagesize: *//p' /proc/meminfo)"
fact iommu.groups "$(ls /sys/kernel/iommu_groups 2>/dev/null | wc -l)"
fact virtual "$(grep -qw hypervisor /proc/cpuinfo && echo yes || echo no)"
fact load "$(cut -d ' ' -f 1-3 /proc/loadavg)"
fact cycles "$([ -e /sys/bus/event_source/devices/cpu ] || ls -d /sys/bus/event_source/devices/cpu_* >/dev/null 2>&1 &&
    echo yes || echo 'no: the kernel has no counters of this processor')"
number=0
for device in /sys/bus/pci/devices/*; do
    [ "$(first "$device/class")" = 0x010802 ] || continue
    driver=$(readlink "$device/driver" 2>/dev/null)
    fact "nvme.$number" "${device##*/} $(first "$device"/nvme/nvme*/model | sed 's/ *$//') node $(first "$device/numa_node") \
$(first "$device/current_link_speed") x$(first "$device/current_link_width") driver ${driver##*/}"
    number=$((number + 1))
done
if [ -e /proc/driver/nvidia/version ]; then
    fact nvidia.driver "$(first /proc/driver/nvidia/version)"
    number=0
    for gpu in /proc/driver/nvidia/gpus/*/information; do
        fact "gpu.$number" "$(sed -n 's/^Model:[[:space:]]*//p' "$gpu") $(sed -n 's/^Bus Location:[[:space:]]*//p' "$gpu")"
        number=$((number + 1))
    done
fi
[ -z "$(command -v "${home:+$home/}aisio")" ] || fact aisio.launcher yes
if commit=$(git -C "$home" rev-parse HEAD 2>/dev/null); then
    [ -z "$(git -C "$home" status --porcelain --untracked-files=no 2>/dev/null)" ] || commit="$commit+"
    fact aisio.commit "$commit"
else
    fact aisio.commit "$(sed -n 's/^commit //p' "$home/VERSION" 2>/dev/null)"
fi
for asked; do
    case $asked in
    program:*)
        name=${asked#program:}
        fact "program.$name" "$(command -v "$name")"
        case $name in
        fio) command -v fio >/dev/null && fact "version.fio" "$(fio --version 2>/dev/null)" ;;
        esac
        ;;
    file:*) [ ! -e "${asked#file:}" ] || fact "file.${asked#file:}" yes ;;
    esac
done
