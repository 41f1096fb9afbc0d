package io.aisio.linux;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A library of native code that a machine may have or not, opened when it is needed ({@code dlopen(3)}) and never closed:
 * the threads that such a library starts outlive whoever opened it.
 */
public final class SharedLibrary {
    /** Of what {@code dlerror} tells, more than any path and reason need. */
    private static final long REASON_BYTES = 4096;

    private final String name;
    private final MemorySegment handle;

    private SharedLibrary(String name, MemorySegment handle) {
        this.name = name;
        this.handle = handle;
    }

    /**
     * Opens the first of several that loads.
     *
     * @param names as the loader looks for them ({@code libcuda.so.1}), or absolute paths
     * @throws IOException if none does, with the loader's reason for the first that is there but does not load, or else
     *     for the first
     */
    public static SharedLibrary open(List<String> names) throws IOException {
        String absent = null;
        String broken = null;
        for (String name : names) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment handle = Libc.dlopen(arena.allocateFrom(name));
                if (handle.address() != 0) {
                    return new SharedLibrary(name, handle);
                }
                String reason = reason(name);
                if (reason.endsWith("No such file or directory") && reason.startsWith(name)) {
                    absent = absent == null ? reason : absent;
                } else {
                    broken = broken == null ? reason : broken;
                }
            }
        }
        throw new IOException(broken != null ? broken : absent != null ? absent : "no library was named");
    }

    private static String reason(String name) {
        MemorySegment reason = Libc.dlerror();
        return reason.address() == 0
                ? name + " cannot be loaded"
                : reason.reinterpret(REASON_BYTES).getString(0);
    }

    /** The name by which it was found. */
    public String name() {
        return name;
    }

    /**
     * A function of the library; null if it has none of this name, as one that is older than the function.
     *
     * @param descriptor what C's header declares
     */
    public @Nullable MethodHandle function(String symbol, FunctionDescriptor descriptor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = Libc.dlsym(handle, arena.allocateFrom(symbol));
            return address.address() == 0 ? null : Libc.function(address, descriptor);
        }
    }

    /**
     * A function that tells by errno why it failed; null if there is none of this name.
     *
     * @return takes what {@link #errnoState} gives before its own arguments; {@link #errno} tells afterwards
     */
    public @Nullable MethodHandle functionWithErrno(String symbol, FunctionDescriptor descriptor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = Libc.dlsym(handle, arena.allocateFrom(symbol));
            return address.address() == 0 ? null : Libc.functionWithErrno(address, descriptor);
        }
    }

    /** Where a function leaves its errno for this thread. */
    public static MemorySegment errnoState() {
        return Libc.state();
    }

    /** The errno of this thread's last call, if that failed. */
    public static int errno() {
        return Libc.errno();
    }

    /**
     * Sets a variable of this process's environment for libraries that look at it, unless it has a value. Java's own view
     * ({@link System#getenv}) stays as it is. A library that reads the environment on another thread meanwhile may
     * crash, as C has it: it is done before one is opened.
     *
     * @throws LinuxException if there is no memory for it
     */
    public static void setVariableIfAbsent(String variable, String value) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            if (Libc.setenvIfAbsent(arena.allocateFrom(variable), arena.allocateFrom(value)) != 0) {
                throw new LinuxException("setenv", variable, Libc.errno());
            }
        }
    }
}
