package io.aisio.bench;

import io.aisio.bench.DoctorReport.Answer;
import io.aisio.bench.DoctorReport.Finding;
import io.aisio.bench.DoctorReport.Mode;
import io.aisio.cuda.CuFile;
import io.aisio.cuda.Cuda;
import io.aisio.cuda.Gpu;
import io.aisio.cuda.GpuDescription;
import io.aisio.cuda.GpuMemory;
import io.aisio.linux.Beneath;
import io.aisio.linux.BpfRing;
import io.aisio.linux.Errno;
import io.aisio.linux.FileStatus;
import io.aisio.linux.IoUring;
import io.aisio.linux.LinuxException;
import io.aisio.linux.OpenFile;
import io.aisio.linux.ResourceLimits;
import io.aisio.linux.Sysfs;
import io.aisio.linux.Udmabuf;
import io.aisio.linux.UdmabufImport;
import io.aisio.upcie.HugePages;
import io.aisio.upcie.PciBus;
import io.aisio.upcie.PciDevice;
import io.aisio.xal.Watch;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Looks at what a machine can do for AiSIO, and says what it lacks and how to get it. What can be tried without harm is
 * tried (a ring is set up, a map is made, a file's extents are asked for); nothing is changed, but that a module may load
 * when its node is opened.
 */
public final class Doctor {
    /** What VFIO pins counts against the limit; less than this holds no more than rings. Chosen as upstream's devbind does. */
    private static final long MEMLOCK_BYTES = 64L << 20;

    /** {@code linux/capability.h}: CAP_IPC_LOCK. */
    private static final int CAP_IPC_LOCK = 14;

    private static final int NVIDIA = 0x10de;
    /** Base class of display controllers (PCI Code and ID Assignment). */
    private static final int DISPLAY = 0x03;

    private static final Pattern EFFECTIVE = Pattern.compile("CapEff:\\s*([0-9a-f]{1,16})");
    /** Parameters of the kernel that decide what the IOMMU does. */
    private static final Pattern IOMMU_PARAMETER = Pattern.compile("(intel_iommu|amd_iommu|iommu|iommu\\.\\w+)=\\S*");

    private static final String NOT_THERE = "not there";
    private static final String NO_IOMMU = "VFIO without IOMMU";

    /** Nodes in {@code /dev}. */
    private static final String UDMABUF = Udmabuf.PATH.getFileName().toString();

    private static final String UDMABUF_IMPORT =
            UdmabufImport.PATH.getFileName().toString();

    private static final List<String> LIBRARY_FOLDERS = List.of(
            "usr/lib/x86_64-linux-gnu",
            "usr/lib/aarch64-linux-gnu",
            "lib/x86_64-linux-gnu",
            "usr/lib64",
            "usr/lib",
            "usr/local/lib",
            "usr/local/cuda/lib64",
            "usr/local/cuda/targets/x86_64-linux/lib",
            "usr/local/cuda/targets/sbsa-linux/lib",
            "usr/lib/wsl/lib");

    private final Path root;
    private final List<Finding> findings = new ArrayList<>();
    private @Nullable List<PciDevice> devices;
    /** Whether an IOMMU translates for what UIO would be used for. */
    private boolean uioTranslates;

    private Doctor(Path root) {
        this.root = root;
    }

    /**
     * Looks at this machine.
     *
     * @param path a file or directory of the file system that is asked about
     */
    public static DoctorReport examine(Path path) {
        return examine(Path.of("/"), path);
    }

    /**
     * Looks at a machine.
     *
     * @param root where {@code proc}, {@code sys}, {@code dev} and the rest are, {@code /} but in tests; system calls are
     *     this machine's all the same
     * @param path as above
     */
    static DoctorReport examine(Path root, Path path) {
        Doctor doctor = new Doctor(root);
        doctor.look(path);
        return new DoctorReport(
                doctor.release(),
                System.getProperty("os.arch", "unknown"),
                path.toString(),
                List.copyOf(doctor.findings),
                doctor.modes());
    }

    /** Finds out one thing. */
    @FunctionalInterface
    private interface Probe {
        Finding look(String id, String name) throws IOException;
    }

    private void look(Path path) {
        add("nvme", "NVMe controllers", this::controllers);
        add("iommu", "IOMMU", this::iommu);
        add("vfio-group", "VFIO, by group", this::vfioGroup);
        add("vfio-cdev", "VFIO, by iommufd", this::vfioCdev);
        add("vfio-noiommu", "VFIO without IOMMU", this::noIommu);
        add("uio", "UIO", this::uio);
        add("hugepages", "Huge pages", this::hugePages);
        add("memlock", "Locked memory", this::memlock);
        add("sriov", "SR-IOV", this::sriov);
        add("io_uring", "io_uring", (id, name) -> ioUring(id, name, path));
        add("ublk", "ublk", (id, name) -> node(id, name, "ublk-control", "ublk_drv"));
        add("udmabuf", "udmabuf", (id, name) -> node(id, name, UDMABUF, "udmabuf"));
        add("udmabuf-import", "udmabuf-import", this::udmabufImport);
        add("fiemap", "FIEMAP here", (id, name) -> fiemap(id, name, path));
        add("ebpf", "eBPF", (id, name) -> ebpf(id, name, path));
        add("cuda", "CUDA driver", this::cuda);
        add("gpu", "GPUs", this::gpus);
        add("dma-buf", "GPU memory as dma-buf", this::dmaBuf);
        add("nvrtc", "NVRTC", this::nvrtc);
        add("cufile", "cuFile", this::cuFile);
        add("bar1", "GPU memory on PCIe", this::memoryBar);
    }

    private void add(String id, String name, Probe probe) {
        try {
            findings.add(probe.look(id, name));
        } catch (IOException e) {
            findings.add(new Finding(id, name, Answer.UNKNOWN, "could not be looked at: " + e.getMessage(), ""));
        }
    }

    private static Finding yes(String id, String name, String reason) {
        return new Finding(id, name, Answer.YES, reason, "");
    }

    private static Finding no(String id, String name, String reason, String remedy) {
        return new Finding(id, name, Answer.NO, reason, remedy);
    }

    private Finding controllers(String id, String name) throws IOException {
        List<PciDevice> nvme = devices().stream().filter(PciDevice::isNvme).toList();
        if (nvme.isEmpty()) {
            return no(id, name, "none on PCI", "put one in, or give one to this virtual machine; emu:1GiB needs none");
        }
        return yes(
                id,
                name,
                nvme.size() + ": "
                        + some(nvme.stream()
                                .map(one -> one.address() + " (" + Objects.requireNonNullElse(one.driver(), "no driver")
                                        + ")")
                                .toList()));
    }

    private Finding iommu(String id, String name) throws IOException {
        List<Path> groups = Sysfs.list(root.resolve("sys/kernel/iommu_groups"));
        Set<String> types = types(groups);
        String line = Objects.requireNonNullElse(Sysfs.text(root.resolve("proc/cmdline")), "");
        String parameters =
                IOMMU_PARAMETER.matcher(line).results().map(one -> one.group()).collect(Collectors.joining(" "));
        String told = parameters.isEmpty() ? "" : "; kernel: " + parameters;
        boolean hardware = !Sysfs.list(root.resolve("sys/class/iommu")).isEmpty();
        if (!hardware && groups.isEmpty()) {
            return no(
                    id,
                    name,
                    "off: no group, no IOMMU" + told,
                    "switch VT-d or AMD-Vi on in the firmware and start the kernel with intel_iommu=on or amd_iommu=on");
        }
        if (!hardware) {
            return no(id, name, "off: " + groups.size() + " groups of no-IOMMU mode" + told, "as for VFIO by group");
        }
        String mode = types.equals(new TreeSet<>(List.of("identity")))
                ? "passthrough"
                : types.contains("identity") ? "translating, partly passthrough" : "translating";
        return yes(
                id,
                name,
                mode + (types.isEmpty() ? "" : " (" + String.join(", ", types) + ")") + ", " + groups.size() + " groups"
                        + told);
    }

    private Finding vfioGroup(String id, String name) throws IOException {
        String opened = open("vfio/vfio");
        if (opened != null && opened.endsWith(NOT_THERE) && canBeLoaded("vfio-pci")) {
            return yes(id, name, "vfio-pci can be loaded");
        }
        if (opened != null) {
            return no(id, name, opened, moduleRemedy("vfio-pci", opened));
        }
        List<String> nodes = names(root.resolve("dev/vfio")).stream()
                .filter(node -> !node.equals("vfio") && !node.equals("devices"))
                .toList();
        return yes(
                id,
                name,
                "/dev/vfio/vfio opens; "
                        + (nodes.isEmpty() ? "no group is bound to it now" : "groups bound to it: " + some(nodes)));
    }

    private Finding vfioCdev(String id, String name) throws IOException {
        String opened = open("iommu");
        boolean loadable = opened != null && opened.endsWith(NOT_THERE) && canBeLoaded("iommufd");
        if (opened != null && !loadable) {
            return no(id, name, opened, moduleRemedy("iommufd", opened));
        }
        String told = loadable ? "iommufd can be loaded" : "/dev/iommu opens";
        List<String> nodes = names(root.resolve("dev/vfio/devices"));
        if (!nodes.isEmpty()) {
            return yes(id, name, told + "; devices: " + some(nodes));
        }
        String set = configuration("CONFIG_VFIO_DEVICE_CDEV");
        if (set != null && !set.equals("y")) {
            return no(id, name, told + ", but CONFIG_VFIO_DEVICE_CDEV is off", "take a kernel that has it");
        }
        return yes(
                id,
                name,
                told + "; "
                        + (set == null
                                ? "whether the kernel makes device nodes shows when one is bound"
                                : "no device is bound now"));
    }

    private Finding noIommu(String id, String name) throws IOException {
        Path parameter = root.resolve("sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
        String set = Sysfs.text(parameter);
        if ("Y".equals(set) || "1".equals(set)) {
            return yes(id, name, "allowed: a device may then reach all memory");
        }
        return no(
                id,
                name,
                set == null ? "the module vfio is not loaded, or has no such mode" : "not allowed",
                "only without an IOMMU, and where that is safe: echo 1 > " + parameter);
    }

    private Finding uio(String id, String name) throws IOException {
        Set<String> types = typesOfControllers();
        uioTranslates = !types.isEmpty() && types.stream().allMatch(type -> type.startsWith("DMA"));
        if (uioTranslates && (open(UDMABUF) != null || open(UDMABUF_IMPORT) != null)) {
            return no(
                    id,
                    name,
                    "the IOMMU translates (" + String.join(", ", types)
                            + "), and UIO hands out physical addresses, which a device then cannot reach",
                    "use VFIO, or load the modules udmabuf and udmabuf-import, or start the kernel with iommu=pt");
        }
        if (Files.isDirectory(root.resolve("sys/bus/pci/drivers/uio_pci_generic"))) {
            return yes(id, name, "uio_pci_generic is loaded");
        }
        return hasModule("uio_pci_generic")
                ? yes(id, name, "uio_pci_generic can be loaded")
                : no(id, name, "this kernel has no uio_pci_generic", kernelRemedy());
    }

    /** The types of the NVMe controllers' groups; of all groups, where no controller is in one. */
    private Set<String> typesOfControllers() throws IOException {
        Path groups = root.resolve("sys/kernel/iommu_groups");
        List<Path> asked = new ArrayList<>();
        for (PciDevice device : devices()) {
            if (device.isNvme() && device.iommuGroup() >= 0) {
                asked.add(groups.resolve(Integer.toString(device.iommuGroup())));
            }
        }
        return types(asked.isEmpty() ? Sysfs.list(groups) : asked);
    }

    private static Set<String> types(List<Path> groups) throws IOException {
        Set<String> types = new TreeSet<>();
        for (Path group : groups) {
            String type = Sysfs.text(group.resolve("type"));
            if (type != null && !type.isEmpty()) {
                types.add(type);
            }
        }
        return types;
    }

    private Finding hugePages(String id, String name) throws IOException {
        List<HugePages.Pool> pools = new HugePages(root).pools();
        List<String> free = pools.stream()
                .filter(pool -> pool.node() < 0 && pool.free() > 0)
                .map(pool -> pool.free() + " of " + (pool.pageBytes() >> 20) + " MiB")
                .toList();
        if (!free.isEmpty()) {
            return yes(id, name, "free: " + String.join(", ", free));
        }
        return pools.isEmpty()
                ? no(id, name, "this kernel has none", "take a kernel with CONFIG_HUGETLBFS")
                : no(id, name, "none is free", "sudo ./aisio hugepages setup --count 1024");
    }

    private Finding memlock(String id, String name) throws IOException {
        String limit = ResourceLimits.lockedMemory(root.resolve("proc"));
        String status = Objects.requireNonNullElse(Sysfs.text(root.resolve("proc/self/status")), "");
        Matcher effective = EFFECTIVE.matcher(status);
        boolean exempt = effective.find() && (Long.parseUnsignedLong(effective.group(1), 16) >>> CAP_IPC_LOCK & 1) != 0;
        if (limit.equals("unlimited") || exempt) {
            return yes(
                    id,
                    name,
                    limit.equals("unlimited") ? "unlimited" : "limit " + limit + " bytes, which root is exempt from");
        }
        String remedy = "ulimit -l unlimited, or 'memlock' in /etc/security/limits.conf";
        long bytes;
        try {
            bytes = Long.parseLong(limit);
        } catch (NumberFormatException e) {
            throw new IOException("/proc/self/limits: '" + limit + "' is no limit", e);
        }
        String told = (bytes >> 10) + " KiB";
        return bytes >= MEMLOCK_BYTES ? yes(id, name, told) : no(id, name, told + ": too little for buffers", remedy);
    }

    private Finding sriov(String id, String name) throws IOException {
        List<String> able = devices().stream()
                .filter(device -> device.totalVfs() > 0)
                .map(device -> device.address() + " (" + device.numVfs() + " of " + device.totalVfs() + ")")
                .toList();
        return able.isEmpty()
                ? no(id, name, "no function has it", "it is the card's, and the firmware's to switch on")
                : yes(id, name, some(able));
    }

    private static Finding ioUring(String id, String name, Path path) throws IOException {
        Path some = Files.isRegularFile(path) ? path : Path.of("/proc/self/exe");
        try (OpenFile file = OpenFile.open(some, OpenFile.Access.READ_ONLY)) {
            IoUring.open(file, 8).close();
            return yes(id, name, "a ring was set up");
        } catch (LinuxException e) {
            if (!e.call().startsWith("io_uring")) {
                throw e;
            }
            return no(
                    id,
                    name,
                    Errno.name(e.errno()),
                    e.errno() == Errno.ENOSYS
                            ? "take Linux 5.6 or newer"
                            : "sysctl kernel.io_uring_disabled=0; in a container, allow io_uring_setup");
        }
    }

    /** A driver that has one node, which opens or does not. */
    private Finding node(String id, String name, String node, String module) throws IOException {
        String opened = open(node);
        return opened == null
                ? yes(id, name, "/dev/" + node + " opens")
                : no(id, name, opened, moduleRemedy(module, opened));
    }

    private Finding udmabufImport(String id, String name) throws IOException {
        String opened = open(UDMABUF_IMPORT);
        if (opened == null) {
            return yes(id, name, UdmabufImport.PATH + " opens");
        }
        return no(
                id,
                name,
                opened,
                Files.exists(root.resolve("dev").resolve(UDMABUF_IMPORT))
                        ? "run as root"
                        : "build and load AiSIO's kernel module (kmod/udmabuf-import), which tells a controller's addresses of a"
                                + " GPU's memory");
    }

    private static Finding fiemap(String id, String name, Path path) throws IOException {
        Path real = path.toRealPath();
        Path file = real;
        Path made = null;
        if (Files.isDirectory(real)) {
            file = someFile(real).orElse(null);
            if (file == null) {
                made = Files.createTempFile(real, ".aisio-doctor-", "");
                Files.write(made, new byte[4096]);
                file = made;
            }
        }
        Path folder = Objects.requireNonNull(file.getParent());
        byte[] child = Objects.requireNonNull(file.getFileName()).toString().getBytes(StandardCharsets.UTF_8);
        try (Beneath directory = Beneath.directory(folder);
                Beneath open = directory.openFile(child, file.toString())) {
            int extents = open.extents(true).size();
            return yes(id, name, "told " + extents + (extents == 1 ? " extent of " : " extents of ") + file);
        } catch (LinuxException e) {
            if (e.errno() != Errno.EOPNOTSUPP && e.errno() != Errno.ENOTTY) {
                throw e;
            }
            return no(
                    id,
                    name,
                    "the file system of " + real + " does not tell extents (" + Errno.name(e.errno()) + ")",
                    "put the data on XFS, ext4 or btrfs, and ask with --path");
        } finally {
            if (made != null) {
                Files.delete(made);
            }
        }
    }

    private static Optional<Path> someFile(Path folder) throws IOException {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            for (Path entry : entries) {
                if (Files.isRegularFile(entry, LinkOption.NOFOLLOW_LINKS) && Files.isReadable(entry)) {
                    return Optional.of(entry);
                }
            }
        }
        return Optional.empty();
    }

    /** A map takes the same rights as a program, and no tracepoint; on XFS, all that a watch needs is tried. */
    private Finding ebpf(String id, String name, Path path) throws IOException {
        try {
            new BpfRing("aisio_doctor", 4096).close();
        } catch (LinuxException e) {
            return no(
                    id,
                    name,
                    "bpf(2) answers " + Errno.name(e.errno()),
                    FileStatus.effectiveUser() == 0
                            ? "in a container, grant CAP_BPF and CAP_PERFMON; otherwise take Linux 5.8 or newer"
                            : "run as root, or grant CAP_BPF and CAP_PERFMON");
        }
        if (!Files.exists(root.resolve("sys/kernel/btf/vmlinux"))) {
            return no(
                    id,
                    name,
                    "a map was made, but the kernel tells no types",
                    "take a kernel with CONFIG_DEBUG_INFO_BTF");
        }
        Path real = path.toRealPath();
        Path folder = Files.isDirectory(real) ? real : Objects.requireNonNull(real.getParent());
        String type = Files.getFileStore(folder).type();
        if (!type.equals("xfs")) {
            return yes(id, name, "a map was made, and types are there; extents are told on XFS, and this is " + type);
        }
        if (!Files.isWritable(folder)) {
            return yes(id, name, "a map was made, and types are there; no folder can be made here to watch");
        }
        Path empty = Files.createTempDirectory(folder, ".aisio-doctor-");
        try (Watch watch = Watch.open(empty, Watch.PACE, Watch.Extents.IF_POSSIBLE, _ -> {})) {
            return watch.missing().isEmpty()
                    ? yes(id, name, "programs were loaded and attached")
                    : no(id, name, watch.missing(), "");
        } finally {
            Files.delete(empty);
        }
    }

    private Finding cuda(String id, String name) throws IOException {
        String version = Sysfs.text(root.resolve("proc/driver/nvidia/version"));
        String driver = version == null ? "" : version.lines().findFirst().orElse("");
        if (isThisMachine() && Cuda.missing() == null) {
            return yes(id, name, "CUDA " + Cuda.driverVersion() + (driver.isEmpty() ? "" : "; " + driver));
        }
        Optional<Path> library = library("libcuda.so.1");
        if (library.isEmpty()) {
            return no(
                    id,
                    name,
                    version == null
                            ? "no libcuda.so.1, no kernel driver"
                            : "the kernel has its driver, but there is no libcuda.so.1",
                    "install NVIDIA's driver (the open kernel modules)");
        }
        if (version == null) {
            return no(id, name, library.get() + " is there, but not the kernel's driver", "modprobe nvidia");
        }
        String missing = isThisMachine() ? Cuda.missing() : null;
        return missing == null
                ? yes(id, name, library.get() + "; " + driver)
                : no(id, name, missing, "see whether nvidia-smi lists a GPU");
    }

    /** Libraries are asked only about the machine that this runs on. */
    private boolean isThisMachine() {
        return root.equals(Path.of("/"));
    }

    private Finding noGpu(String id, String name) {
        return no(id, name, "no GPU that CUDA can use", "as for the CUDA driver");
    }

    private Finding gpus(String id, String name) throws IOException {
        List<GpuDescription> gpus = isThisMachine() ? Cuda.list() : List.of();
        return gpus.isEmpty()
                ? noGpu(id, name)
                : yes(id, name, some(gpus.stream().map(Doctor::shown).toList()));
    }

    private static String shown(GpuDescription gpu) {
        long bar = gpu.barBytes();
        return String.format(
                Locale.ROOT,
                "%d: %s (%s, %s), %.1f GiB%s",
                gpu.id(),
                gpu.name(),
                gpu.address(),
                gpu.architecture(),
                gpu.memoryBytes() / (double) (1 << 30),
                bar == 0
                        ? ""
                        : String.format(Locale.ROOT, ", %.1f GiB of it on PCIe at once", bar / (double) (1 << 30)));
    }

    /** A piece of memory is exported, and given back. */
    private Finding dmaBuf(String id, String name) throws IOException {
        if (!isThisMachine() || Cuda.missing() != null) {
            return noGpu(id, name);
        }
        try (Gpu gpu = Gpu.open(0);
                GpuMemory memory = gpu.allocate(1);
                OpenFile _ = memory.exportDmaBuf()) {
            return yes(id, name, memory.size() / 1024 + " KiB of GPU 0 were exported");
        } catch (UnsupportedOperationException e) {
            return no(id, name, String.valueOf(e.getMessage()), "install NVIDIA's open kernel modules");
        }
    }

    private Finding nvrtc(String id, String name) throws IOException {
        String version = isThisMachine() ? Cuda.compilerVersion() : "";
        return version.isEmpty()
                ? library(
                        id,
                        name,
                        "libnvrtc.so",
                        "install the CUDA toolkit's NVRTC; without it kernels are slower to start, and a user's own are not"
                                + " compiled")
                : yes(id, name, "compiles kernels, as CUDA " + version);
    }

    /** Its library is asked for its version alone: where it starts it may leave a log. */
    private Finding cuFile(String id, String name) throws IOException {
        String module = Sysfs.text(root.resolve("proc/driver/nvidia-fs/version"));
        String mode = module == null
                ? "compatibility mode, through memory of the host, as nvidia-fs is not loaded"
                : "direct, nvidia-fs " + module.lines().findFirst().orElse("").replaceFirst("^version: *", "");
        if (isThisMachine()) {
            String missing = CuFile.missing();
            return missing == null
                    ? yes(id, name, CuFile.version() + "; " + mode)
                    : no(id, name, missing, "install GPUDirect Storage (libcufile)");
        }
        Finding found = library(id, name, "libcufile.so", "install GPUDirect Storage (libcufile)");
        return found.yes() ? yes(id, name, found.reason() + "; " + mode) : found;
    }

    private Finding library(String id, String name, String prefix, String remedy) throws IOException {
        return library(prefix)
                .map(file -> yes(id, name, file.toString()))
                .orElseGet(() -> no(id, name, "no " + prefix + " in the loader's folders", remedy));
    }

    /** Looked for where the loader does. */
    private Optional<Path> library(String prefix) throws IOException {
        List<Path> folders = new ArrayList<>();
        for (String folder :
                Objects.requireNonNullElse(System.getenv("LD_LIBRARY_PATH"), "").split(":", -1)) {
            if (folder.startsWith("/")) {
                folders.add(Path.of(folder));
            }
        }
        for (Path file : Sysfs.list(root.resolve("etc/ld.so.conf.d"))) {
            String text = Objects.requireNonNullElse(Sysfs.text(file.toRealPath()), "");
            text.lines()
                    .map(String::strip)
                    .filter(line -> line.startsWith("/"))
                    .forEach(line -> folders.add(root.resolve(line.substring(1))));
        }
        LIBRARY_FOLDERS.forEach(folder -> folders.add(root.resolve(folder)));
        for (Path folder : folders) {
            for (Path file : Files.isReadable(folder) ? Sysfs.list(folder) : List.<Path>of()) {
                String base = String.valueOf(file.getFileName());
                if ((base.equals(prefix) || base.startsWith(prefix + ".")) && Files.exists(file)) {
                    return Optional.of(file);
                }
            }
        }
        return Optional.empty();
    }

    private Finding memoryBar(String id, String name) throws IOException {
        List<String> bars = devices().stream()
                .filter(device -> device.vendor() == NVIDIA && device.classCode() >>> 16 == DISPLAY)
                .map(device -> {
                    long bytes = GpuDescription.barBytes(device);
                    return device.address() + ": " + (bytes == 0 ? "no BAR1" : "BAR1 of " + (bytes >> 20) + " MiB");
                })
                .toList();
        return bars.isEmpty()
                ? no(id, name, "no NVIDIA GPU on PCI", "put one in, or give one to this virtual machine")
                : yes(id, name, some(bars));
    }

    private List<Mode> modes() {
        return List.of(cpuInitiated(), cpuInitiatedP2p(), deviceInitiatedP2p());
    }

    /** Which way a driver in user space can have a device, best first; empty if there is none. */
    private String way() {
        boolean iommu = is("iommu");
        if (iommu && is("vfio-cdev")) {
            return "VFIO by iommufd";
        }
        if (iommu && is("vfio-group")) {
            return "VFIO by group";
        }
        if (is("vfio-group") && is("vfio-noiommu") && is("hugepages")) {
            return NO_IOMMU + ", with huge pages";
        }
        return uioWay();
    }

    private String uioWay() {
        if (!is("uio") || FileStatus.effectiveUser() != 0) {
            return "";
        }
        if (uioTranslates) {
            return "UIO, with udmabuf and udmabuf-import";
        }
        return is("hugepages") ? "UIO, with huge pages" : "";
    }

    /** Which way leads to memory by udmabuf-import, which tells no addresses where VFIO has an IOMMU; empty if none. */
    private String peerWay() {
        String uio = uioWay();
        return uio.isEmpty() && way().startsWith(NO_IOMMU) ? way() : uio;
    }

    private Mode cpuInitiated() {
        List<String> missing = new ArrayList<>();
        require("nvme", missing);
        if (way().isEmpty()) {
            missing.add(
                    "a way to have a device: VFIO with an IOMMU, or UIO or VFIO without one, with huge pages, as root");
        }
        return mode("cpu", "CPU-initiated", missing, way());
    }

    private Mode cpuInitiatedP2p() {
        List<String> missing = new ArrayList<>();
        require("nvme", missing);
        if (peerWay().isEmpty()) {
            missing.add("a way to have a device that reaches GPU memory: UIO, with huge pages, or with udmabuf and"
                    + " udmabuf-import where an IOMMU translates; or VFIO without an IOMMU; as root");
        }
        require("cuda", missing);
        require("bar1", missing);
        require("dma-buf", missing);
        require("udmabuf-import", missing);
        return mode("cpu-p2p", "CPU-initiated P2P", missing, peerWay() + ", GPU memory by udmabuf-import");
    }

    private Mode deviceInitiatedP2p() {
        List<String> missing = new ArrayList<>(cpuInitiatedP2p().missing());
        return mode("device-p2p", "Device-initiated P2P", missing, peerWay() + ", queues in GPU memory");
    }

    private static Mode mode(String id, String name, List<String> missing, String how) {
        return new Mode(id, name, missing.isEmpty(), missing.isEmpty() ? how : "", List.copyOf(missing));
    }

    private boolean is(String id) {
        return findings.stream().anyMatch(finding -> finding.id().equals(id) && finding.yes());
    }

    private void require(String id, List<String> missing) {
        findings.stream()
                .filter(finding -> finding.id().equals(id) && !finding.yes())
                .forEach(finding -> missing.add(finding.name() + ": " + finding.reason()));
    }

    private List<PciDevice> devices() throws IOException {
        List<PciDevice> known = devices;
        if (known == null) {
            known = new PciBus(root.resolve("sys")).list();
            devices = known;
        }
        return known;
    }

    /** Why a node cannot be opened to be read and written; null if it can. */
    private @Nullable String open(String node) {
        Path path = root.resolve("dev").resolve(node);
        try {
            OpenFile.open(path, OpenFile.Access.READ_WRITE).close();
            return null;
        } catch (LinuxException e) {
            return "/dev/" + node + ": "
                    + switch (e.errno()) {
                        case Errno.ENOENT -> NOT_THERE;
                        case Errno.EACCES, Errno.EPERM -> "permission denied";
                        default -> Errno.name(e.errno());
                    };
        }
    }

    private String moduleRemedy(String module, String opened) throws IOException {
        if (opened.endsWith("permission denied")) {
            return "run as root, or be given the node";
        }
        return hasModule(module) ? "modprobe " + module : "this kernel has no module " + module + "; " + kernelRemedy();
    }

    private static String kernelRemedy() {
        return "take a distribution's kernel that has it";
    }

    /** Whether a module is loaded, built in, or lies in the running kernel's folder. */
    private boolean hasModule(String module) throws IOException {
        String plain = module.replace('-', '_');
        if (Files.isDirectory(root.resolve("sys/module").resolve(plain))) {
            return true;
        }
        return isListed(plain, "modules.dep") || isListed(plain, "modules.builtin");
    }

    /** Whether a module is not loaded, and lies in the running kernel's folder. */
    private boolean canBeLoaded(String module) throws IOException {
        String plain = module.replace('-', '_');
        return !Files.isDirectory(root.resolve("sys/module").resolve(plain)) && isListed(plain, "modules.dep");
    }

    private boolean isListed(String plain, String list) throws IOException {
        Path file = root.resolve("lib/modules").resolve(release()).resolve(list);
        if (!Files.isReadable(file)) {
            return false;
        }
        try (Stream<String> lines = Files.lines(file, StandardCharsets.ISO_8859_1)) {
            return lines.map(line ->
                            line.replaceFirst(":.*", "").replaceFirst(".*/", "").replaceFirst("\\.ko.*", ""))
                    .anyMatch(one -> one.replace('-', '_').equals(plain));
        }
    }

    /** What the kernel was built with; null if that cannot be known. */
    private @Nullable String configuration(String name) throws IOException {
        Path file = root.resolve("boot/config-" + release());
        if (!Files.isReadable(file)) {
            return null;
        }
        try (Stream<String> lines = Files.lines(file, StandardCharsets.ISO_8859_1)) {
            return lines.filter(line -> line.startsWith(name + "="))
                    .map(line -> line.substring(name.length() + 1))
                    .findFirst()
                    .orElse("n");
        }
    }

    private String release() {
        try {
            return Objects.requireNonNullElse(Sysfs.text(root.resolve("proc/sys/kernel/osrelease")), "unknown");
        } catch (IOException e) {
            return "unknown";
        }
    }

    private static List<String> names(Path folder) throws IOException {
        return Sysfs.list(folder).stream()
                .map(entry -> String.valueOf(entry.getFileName()))
                .toList();
    }

    private static String some(List<String> all) {
        int shown = 8;
        return all.stream().limit(shown).collect(Collectors.joining(", "))
                + (all.size() > shown ? String.format(Locale.ROOT, " and %d more", all.size() - shown) : "");
    }
}
