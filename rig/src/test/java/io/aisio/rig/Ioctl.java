package io.aisio.rig;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/** {@code ioctl(2)} with whatever a case gives it, also what no program would, and with less than root's rights. */
final class Ioctl {
    private static final MethodHandle IOCTL = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("ioctl"),
                    FunctionDescriptor.of(
                            ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG),
                    Linker.Option.firstVariadicArg(2),
                    Linker.Option.captureCallState("errno"));
    private static final MethodHandle CAPGET = capabilities("capget");
    private static final MethodHandle CAPSET = capabilities("capset");
    /** {@code linux/capability.h}: _LINUX_CAPABILITY_VERSION_3. */
    private static final int CAPABILITY_VERSION = 0x2008_0522;

    private static final int CAP_SYS_RAWIO = 17;
    private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final ThreadLocal<MemorySegment> CAPTURED =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(STATE));

    private Ioctl() {}

    private static MethodHandle capabilities(String name) {
        return Linker.nativeLinker()
                .downcallHandle(
                        Linker.nativeLinker().defaultLookup().findOrThrow(name),
                        FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
    }

    /** Takes CAP_SYS_RAWIO from this thread alone, for good. */
    static void giveUpRawAccess() {
        try (Arena arena = Arena.ofConfined()) {
            // Version, and this thread; then effective, permitted and inheritable, of the lower capabilities first.
            MemorySegment header = arena.allocateFrom(ValueLayout.JAVA_INT, CAPABILITY_VERSION, 0);
            MemorySegment sets = arena.allocate(ValueLayout.JAVA_INT, 6);
            int got = (int) CAPGET.invokeExact(header, sets);
            for (int set = 0; set < 3; set++) {
                int bits = sets.getAtIndex(ValueLayout.JAVA_INT, set) & ~(1 << CAP_SYS_RAWIO);
                sets.setAtIndex(ValueLayout.JAVA_INT, set, bits);
            }
            int set = (int) CAPSET.invokeExact(header, sets);
            if (got != 0 || set != 0) {
                throw new AssertionError("CAP_SYS_RAWIO could not be given up");
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** What the kernel answers: not negative, or an errno with a minus. */
    static int call(int fd, long request, MemorySegment argument) {
        return call(fd, request, argument.address());
    }

    static int call(int fd, long request, long argument) {
        MemorySegment captured = CAPTURED.get();
        try {
            int answer = (int) IOCTL.invokeExact(captured, fd, request, argument);
            return answer >= 0 ? answer : -(int) ERRNO.get(captured, 0L);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
