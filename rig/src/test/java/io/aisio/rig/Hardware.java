package io.aisio.rig;

import io.aisio.upcie.Access;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** What machines the tests run on, and which suites on which: a guest is booted for each. */
enum Hardware {
    /** One controller behind an IOMMU. */
    ONE(OneControllerCases.class, KernelPathCases.class, VfioCases.class, DevbindCases.class, XnvmeCases.class),
    /** Four controllers. */
    FOUR(FourControllersCases.class, HotplugCases.class),
    /** Namespaces with each block size, metadata and protection information. */
    FORMATS(FormatsCases.class),
    /** Controllers that differ in the most that a command may move. */
    MDTS(MdtsCases.class),
    /** A controller with virtual functions. */
    SRIOV(SriovCases.class, IsolationCases.class),
    /** A controller memory buffer. */
    CMB(CmbCases.class),
    /** A zoned namespace. */
    ZONED(ZonedCases.class),
    /**
     * A namespace for file systems, the kernel's block devices that are served in user space, and two more controllers, which
     * fail.
     */
    UBLK(UblkCases.class, CoexistenceCases.class, ExportFailureCases.class),
    /** Another device's memory in a BAR, behind an IOMMU, and a kernel that checks its own memory. */
    KMOD(KmodCases.class),
    /** No IOMMU. */
    NOIOMMU(NoIommuCases.class, PhysicalCases.class);

    private final List<Class<?>> suites;

    Hardware(Class<?>... suites) {
        this.suites = List.of(suites);
    }

    /** By which ways host and guest exchange data ({@link Exchange}). */
    List<Access> accesses() {
        return switch (this) {
            case ONE -> List.of(Access.TYPE1, Access.IOMMUFD);
            case NOIOMMU -> List.of(Access.UIO, Access.NOIOMMU);
            case KMOD -> List.of(Access.UIO);
            default -> List.of();
        };
    }

    /** The file in {@code rig/devices} that describes it. */
    String devices() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** All cases, suite by suite, in the order in which they run. */
    List<Case> cases() {
        return suites.stream().flatMap(Hardware::casesOf).toList();
    }

    private static Stream<Case> casesOf(Class<?> suite) {
        return Arrays.stream(suite.getDeclaredMethods())
                .filter(method -> Modifier.isStatic(method.getModifiers())
                        && !Modifier.isPrivate(method.getModifiers())
                        && !method.isSynthetic()
                        && method.getParameterCount() == 0
                        && method.getReturnType() == void.class)
                .sorted(Comparator.comparing(Method::getName))
                .map(Case::new);
    }

    /**
     * One test in the guest.
     *
     * @param method what is run
     */
    record Case(Method method) {
        /** Its suite and its own name, unique in its hardware: {@code OneControllerCases.loadsEveryModule}. */
        String name() {
            return method.getDeclaringClass().getSimpleName() + "." + method.getName();
        }
    }
}
