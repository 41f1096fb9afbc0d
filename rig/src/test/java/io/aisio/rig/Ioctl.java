package io.aisio.rig;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/** {@code ioctl(2)} with whatever a case gives it, also what no program would. */
final class Ioctl {
    private static final MethodHandle IOCTL = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("ioctl"),
                    FunctionDescriptor.of(
                            ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG),
                    Linker.Option.firstVariadicArg(2),
                    Linker.Option.captureCallState("errno"));
    private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final ThreadLocal<MemorySegment> CAPTURED =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(STATE));

    private Ioctl() {}

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
