package io.aisio.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * The C library's symbols that AiSIO calls, each bound once. Every method returns what the C function returns; the
 * errno of a failed call is read with {@link #errno()} on the same thread, before the next call.
 *
 * <p>Values of flags are those of x86-64 and aarch64 Linux ({@code asm-generic/fcntl.h}, {@code asm-generic/mman.h});
 * those that differ ({@code O_DIRECT}, {@code O_DIRECTORY}, {@code O_NOFOLLOW}) are chosen by architecture.
 */
final class Libc {
    static final int O_RDONLY = 0;
    static final int O_WRONLY = 1;
    static final int O_RDWR = 2;
    static final int O_CREAT = 0x40;
    static final int O_EXCL = 0x80;
    static final int O_CLOEXEC = 0x80000;
    /** {@code asm/fcntl.h}: 040000 octal, but 0200000 on aarch64. */
    static final int O_DIRECT = "aarch64".equals(System.getProperty("os.arch")) ? 0x10000 : 0x4000;

    static final int SEEK_END = 2;
    static final int LOCK_SH = 1;
    static final int LOCK_EX = 2;
    static final int LOCK_NB = 4;
    static final int PROT_READ = 1;
    static final int PROT_WRITE = 2;
    static final int MAP_SHARED = 1;
    static final int MAP_PRIVATE = 2;
    static final int MAP_FIXED = 0x10;
    static final int MAP_ANONYMOUS = 0x20;
    static final int MAP_NORESERVE = 0x4000;
    /** Maps the pages at once rather than when they are touched. */
    static final int MAP_POPULATE = 0x8000;

    static final int MAP_HUGETLB = 0x40000;
    /** Above this bit of the flags stands the power of two of a huge page's size. */
    static final int MAP_HUGE_SHIFT = 26;

    static final long MAP_FAILED = -1;
    static final int MADV_DONTNEED = 4;
    static final int MADV_HUGEPAGE = 14;
    /** {@code linux/falloc.h}: FALLOC_FL_PUNCH_HOLE with FALLOC_FL_KEEP_SIZE, which it needs. */
    static final int PUNCH_HOLE = 2 | 1;
    /** {@code asm-generic/unistd.h}: the numbers of new calls are the same on all architectures. */
    static final long SYS_IO_URING_SETUP = 425;

    static final long SYS_IO_URING_ENTER = 426;
    static final long SYS_IO_URING_REGISTER = 427;
    /** {@code asm/unistd.h}; glibc has no function for it. */
    static final long SYS_BPF = "aarch64".equals(System.getProperty("os.arch")) ? 280 : 321;

    static final int O_NONBLOCK = 0x800;
    static final int O_NOCTTY = 0x100;
    /** {@code asm/fcntl.h}: 0200000 octal, but 040000 on aarch64. */
    static final int O_DIRECTORY = "aarch64".equals(System.getProperty("os.arch")) ? 0x4000 : 0x10000;
    /** {@code asm/fcntl.h}: 0400000 octal, but 0100000 on aarch64. */
    static final int O_NOFOLLOW = "aarch64".equals(System.getProperty("os.arch")) ? 0x8000 : 0x20000;

    /** {@code asm-generic/fcntl.h}: what is named, and not what is in it. */
    static final int O_PATH = 0x200000;

    static final int O_TMPFILE = 0x400000 | O_DIRECTORY;
    static final int AT_SYMLINK_NOFOLLOW = 0x100;
    static final int AT_NO_AUTOMOUNT = 0x800;
    static final int AT_EMPTY_PATH = 0x1000;
    /** {@code asm-generic/unistd.h}; glibc has no function for it. */
    static final long SYS_OPENAT2 = 437;
    /** {@code asm-generic/unistd.h}, Linux 5.3; glibc before 2.36 has no function for it. */
    static final long SYS_PIDFD_OPEN = 434;
    /** {@code asm/unistd_64.h}, and {@code asm-generic/unistd.h} on aarch64; glibc has no function for it. */
    static final long SYS_PERF_EVENT_OPEN = "aarch64".equals(System.getProperty("os.arch")) ? 241 : 298;
    /** {@code asm-generic/poll.h}. */
    static final short POLLIN = 1;

    /** {@code linux/prctl.h}: the thread serves I/O, and the kernel waits for none when it finds memory for it. */
    static final int PR_SET_IO_FLUSHER = 57;

    static final int LOCK_UN = 8;

    static final short POLLOUT = 4;
    /** {@code bits/socket.h}. */
    static final int AF_UNIX = 1;

    static final int AF_NETLINK = 16;
    static final int SOCK_STREAM = 1;
    static final int SOCK_DGRAM = 2;
    static final int SOCK_RAW = 3;
    static final int SOCK_NONBLOCK = O_NONBLOCK;
    static final int SOCK_CLOEXEC = O_CLOEXEC;
    static final int SOL_SOCKET = 1;
    static final int SO_PEERCRED = 17;
    static final int SO_SNDTIMEO = 21;
    /** {@code asm-generic/socket.h}, Linux 6.5. */
    static final int SO_PEERPIDFD = 77;

    static final int SCM_RIGHTS = 1;
    static final int SHUT_RDWR = 2;
    static final int MSG_CTRUNC = 8;
    static final int MSG_DONTWAIT = 0x40;
    static final int MSG_NOSIGNAL = 0x4000;
    static final int MSG_CMSG_CLOEXEC = 0x40000000;
    /** {@code bits/mman-shared.h}. */
    static final int MFD_CLOEXEC = 1;

    static final int MFD_ALLOW_SEALING = 2;
    static final int MFD_HUGETLB = 4;
    /** Where the flags have the logarithm of a huge page's size. */
    static final int MFD_HUGE_SHIFT = 26;

    static final int F_GETFL = 3;
    static final int F_SETFL = 4;
    /** {@code linux/fcntl.h}: F_LINUX_SPECIFIC_BASE + 6. */
    static final int F_DUPFD_CLOEXEC = 1030;
    /** {@code linux/fcntl.h}: F_LINUX_SPECIFIC_BASE + 9. */
    static final int F_ADD_SEALS = 1033;
    /** {@code linux/fcntl.h}: F_LINUX_SPECIFIC_BASE + 10. */
    static final int F_GET_SEALS = 1034;

    static final int F_SEAL_SEAL = 1;
    static final int F_SEAL_SHRINK = 2;
    static final int F_SEAL_GROW = 4;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO =
            CAPTURE.varHandle(java.lang.foreign.MemoryLayout.PathElement.groupElement("errno"));
    /** Where a failed call leaves its errno. One per thread, so that no call allocates. */
    private static final ThreadLocal<MemorySegment> STATE =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(CAPTURE));

    private static final MethodHandle OPEN = bind(
            "open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle CLOSE = bind("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle PREAD =
            bind("pread", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle PWRITE =
            bind("pwrite", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle FLOCK = bind("flock", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle FDATASYNC = bind("fdatasync", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle SYNCFS = bind("syncfs", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle LSEEK =
            bind("lseek", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));
    private static final MethodHandle MMAP =
            bind("mmap", FunctionDescriptor.of(JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MUNMAP = bind("munmap", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle MADVISE =
            bind("madvise", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
    private static final MethodHandle FALLOCATE =
            bind("fallocate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle SCHED_SETAFFINITY =
            bind("sched_setaffinity", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS));
    private static final MethodHandle SCHED_GETAFFINITY =
            bind("sched_getaffinity", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS));
    private static final MethodHandle ISATTY = bind("isatty", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle IO_URING_SETUP = bind(
            "syscall",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS),
            Linker.Option.firstVariadicArg(1));
    private static final MethodHandle IO_URING_ENTER = bind(
            "syscall",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG),
            Linker.Option.firstVariadicArg(1));
    private static final MethodHandle IO_URING_REGISTER = bind(
            "syscall",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT),
            Linker.Option.firstVariadicArg(1));
    private static final MethodHandle BPF = bind(
            "syscall",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT),
            Linker.Option.firstVariadicArg(1));
    private static final MethodHandle PERF_EVENT_OPEN = bind(
            "syscall",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG),
            Linker.Option.firstVariadicArg(1));
    private static final MethodHandle OPENAT2 = bind(
            "syscall",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG),
            Linker.Option.firstVariadicArg(1));
    private static final MethodHandle PIDFD_OPEN = bind(
            "syscall",
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT),
            Linker.Option.firstVariadicArg(1));
    private static final MethodHandle READLINKAT =
            bind("readlinkat", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG));
    private static final MethodHandle STATX =
            bind("statx", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS));
    private static final MethodHandle GETDENTS =
            bind("getdents64", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle NAME_TO_HANDLE_AT =
            bind("name_to_handle_at", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_INT));
    private static final MethodHandle IOCTL_VALUE = bind(
            "ioctl",
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG),
            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle IOCTL = bind(
            "ioctl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle FSTATFS = bind("fstatfs", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
    private static final MethodHandle READ =
            bind("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle WRITE =
            bind("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
    private static final MethodHandle POLL =
            bind("poll", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
    private static final MethodHandle PPOLL =
            bind("ppoll", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS));
    private static final MethodHandle SOCKET =
            bind("socket", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle BIND = bind("bind", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle LISTEN = bind("listen", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle ACCEPT4 =
            bind("accept4", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));
    private static final MethodHandle CONNECT =
            bind("connect", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle SENDMSG =
            bind("sendmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle RECVMSG =
            bind("recvmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle SHUTDOWN = bind("shutdown", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle GETSOCKOPT =
            bind("getsockopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));
    private static final MethodHandle SETSOCKOPT =
            bind("setsockopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle FCHMOD = bind("fchmod", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle FCNTL = bind(
            "fcntl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle MEMFD_CREATE =
            bind("memfd_create", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle EVENTFD = bind("eventfd", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle INOTIFY_INIT1 = bind("inotify_init1", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    private static final MethodHandle INOTIFY_ADD_WATCH =
            bind("inotify_add_watch", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
    private static final MethodHandle INOTIFY_RM_WATCH =
            bind("inotify_rm_watch", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle FTRUNCATE =
            bind("ftruncate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MOUNT =
            bind("mount", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS));
    private static final MethodHandle PRCTL = bind(
            "prctl",
            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
            Linker.Option.firstVariadicArg(1));
    private static final MethodHandle GETEUID = bind("geteuid", FunctionDescriptor.of(JAVA_INT));

    /** {@code bits/dlfcn.h}: all symbols are resolved at once, so that none is found missing in the middle of a call. */
    static final int RTLD_NOW = 2;

    private static final MethodHandle DLOPEN = bind("dlopen", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT));
    private static final MethodHandle DLSYM = bind("dlsym", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS));
    private static final MethodHandle DLERROR = bind("dlerror", FunctionDescriptor.of(ADDRESS));
    private static final MethodHandle SETENV =
            bind("setenv", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));

    private Libc() {}

    /** Of a symbol that is not of this library. */
    static MethodHandle function(MemorySegment symbol, FunctionDescriptor descriptor) {
        return LINKER.downcallHandle(symbol, descriptor);
    }

    /** The same, with this thread's {@link #state()} before its arguments. */
    static MethodHandle functionWithErrno(MemorySegment symbol, FunctionDescriptor descriptor) {
        return LINKER.downcallHandle(symbol, descriptor, Linker.Option.captureCallState("errno"));
    }

    /** Where a failed call of this thread leaves its errno. */
    static MemorySegment state() {
        return STATE.get();
    }

    private static MethodHandle bind(String symbol, FunctionDescriptor descriptor, Linker.Option... options) {
        Linker.Option[] all = new Linker.Option[options.length + 1];
        System.arraycopy(options, 0, all, 0, options.length);
        all[options.length] = Linker.Option.captureCallState("errno");
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(symbol), descriptor, all);
    }

    /** The errno of this thread's last failed call through this class. */
    static int errno() {
        return (int) ERRNO.get(STATE.get(), 0L);
    }

    static int open(MemorySegment path, int flags, int mode) {
        try {
            return (int) OPEN.invokeExact(STATE.get(), path, flags, mode);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int close(int fd) {
        try {
            return (int) CLOSE.invokeExact(STATE.get(), fd);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long pread(int fd, MemorySegment target, long length, long position) {
        try {
            return (long) PREAD.invokeExact(STATE.get(), fd, target, length, position);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long pwrite(int fd, MemorySegment source, long length, long position) {
        try {
            return (long) PWRITE.invokeExact(STATE.get(), fd, source, length, position);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int flock(int fd, int operation) {
        try {
            return (int) FLOCK.invokeExact(STATE.get(), fd, operation);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int fdatasync(int fd) {
        try {
            return (int) FDATASYNC.invokeExact(STATE.get(), fd);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int syncfs(int fd) {
        try {
            return (int) SYNCFS.invokeExact(STATE.get(), fd);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long lseek(int fd, long offset, int whence) {
        try {
            return (long) LSEEK.invokeExact(STATE.get(), fd, offset, whence);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** The address of the mapping, or {@link #MAP_FAILED}. */
    static long mmap(long length, int protection, int flags, int fd, long offset) {
        try {
            return (long) MMAP.invokeExact(STATE.get(), MemorySegment.NULL, length, protection, flags, fd, offset);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** The same at an address, in place of what is mapped there; its flags have {@link #MAP_FIXED}. */
    static long mmapAt(MemorySegment address, long length, int protection, int flags, int fd, long offset) {
        try {
            return (long) MMAP.invokeExact(STATE.get(), address, length, protection, flags, fd, offset);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int munmap(MemorySegment mapping, long length) {
        try {
            return (int) MUNMAP.invokeExact(STATE.get(), mapping, length);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int madvise(MemorySegment range, int advice) {
        try {
            return (int) MADVISE.invokeExact(STATE.get(), range, range.byteSize(), advice);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int fallocate(int fd, int mode, long position, long length) {
        try {
            return (int) FALLOCATE.invokeExact(STATE.get(), fd, mode, position, length);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int schedSetAffinity(MemorySegment mask) {
        try {
            return (int) SCHED_SETAFFINITY.invokeExact(STATE.get(), 0, mask.byteSize(), mask);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int schedGetAffinity(MemorySegment mask) {
        try {
            return (int) SCHED_GETAFFINITY.invokeExact(STATE.get(), 0, mask.byteSize(), mask);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static boolean isatty(int fd) {
        try {
            return (int) ISATTY.invokeExact(STATE.get(), fd) == 1;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** The descriptor of the new ring, or -1; glibc has no function of this name. */
    static long ioUringSetup(int entries, MemorySegment parameters) {
        try {
            return (long) IO_URING_SETUP.invokeExact(STATE.get(), SYS_IO_URING_SETUP, entries, parameters);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** How many entries were consumed, or -1; glibc has no function of this name. */
    static long ioUringEnter(int ring, int submit, int complete, int flags) {
        return ioUringEnter(ring, submit, complete, flags, MemorySegment.NULL);
    }

    /** The same with an argument, of as many bytes as it has. */
    static long ioUringEnter(int ring, int submit, int complete, int flags, MemorySegment argument) {
        try {
            return (long) IO_URING_ENTER.invokeExact(
                    STATE.get(), SYS_IO_URING_ENTER, ring, submit, complete, flags, argument, argument.byteSize());
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** 0 or more, or -1; glibc has no function of this name. */
    static long ioUringRegister(int ring, int what, MemorySegment argument, int count) {
        try {
            return (long)
                    IO_URING_REGISTER.invokeExact(STATE.get(), SYS_IO_URING_REGISTER, ring, what, argument, count);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** A descriptor, or what else the command gives; -1 if it failed. */
    static long bpf(int command, MemorySegment attributes) {
        try {
            return (long) BPF.invokeExact(STATE.get(), SYS_BPF, command, attributes, (int) attributes.byteSize());
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** A descriptor of a process, closed on exec; -1 if it failed. */
    static int pidfdOpen(int pid) {
        try {
            return (int) (long) PIDFD_OPEN.invokeExact(STATE.get(), SYS_PIDFD_OPEN, pid, 0);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** A descriptor, or -1; glibc has no function of this name. */
    static long perfEventOpen(MemorySegment attributes, int thread, int cpu, int group, long flags) {
        try {
            return (long) PERF_EVENT_OPEN.invokeExact(
                    STATE.get(), SYS_PERF_EVENT_OPEN, attributes, thread, cpu, group, flags);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long openat2(int fd, MemorySegment path, MemorySegment how) {
        try {
            return (long) OPENAT2.invokeExact(STATE.get(), SYS_OPENAT2, fd, path, how, how.byteSize());
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long readlinkat(int fd, MemorySegment path, MemorySegment target) {
        try {
            return (long) READLINKAT.invokeExact(STATE.get(), fd, path, target, target.byteSize());
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int statx(int fd, MemorySegment path, int flags, int mask, MemorySegment target) {
        try {
            return (int) STATX.invokeExact(STATE.get(), fd, path, flags, mask, target);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** The other way to call it: with a number, such as a descriptor. */
    static int ioctl(int fd, long request, long value) {
        try {
            return (int) IOCTL_VALUE.invokeExact(STATE.get(), fd, request, value);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long getdents64(int fd, MemorySegment target) {
        try {
            return (long) GETDENTS.invokeExact(STATE.get(), fd, target, target.byteSize());
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int nameToHandleAt(int fd, MemorySegment path, MemorySegment handle, MemorySegment mount, int flags) {
        try {
            return (int) NAME_TO_HANDLE_AT.invokeExact(STATE.get(), fd, path, handle, mount, flags);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int ioctl(int fd, long request, MemorySegment argument) {
        try {
            return (int) IOCTL.invokeExact(STATE.get(), fd, request, argument);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int fstatfs(int fd, MemorySegment target) {
        try {
            return (int) FSTATFS.invokeExact(STATE.get(), fd, target);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long read(int fd, MemorySegment target) {
        try {
            return (long) READ.invokeExact(STATE.get(), fd, target, target.byteSize());
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long write(int fd, MemorySegment source) {
        try {
            return (long) WRITE.invokeExact(STATE.get(), fd, source, source.byteSize());
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** @param polled {@code struct pollfd}s, of 8 bytes each */
    static int poll(MemorySegment polled, int millis) {
        try {
            return (int) POLL.invokeExact(STATE.get(), polled, polled.byteSize() / 8, millis);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** @param polled {@code struct pollfd}s, of 8 bytes each */
    static int ppoll(MemorySegment polled, MemorySegment timeout) {
        try {
            return (int) PPOLL.invokeExact(STATE.get(), polled, polled.byteSize() / 8, timeout, MemorySegment.NULL);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int socket(int family, int type) {
        return socket(family, type, 0);
    }

    static int socket(int family, int type, int protocol) {
        try {
            return (int) SOCKET.invokeExact(STATE.get(), family, type, protocol);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int bind(int fd, MemorySegment address, int bytes) {
        try {
            return (int) BIND.invokeExact(STATE.get(), fd, address, bytes);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int listen(int fd, int backlog) {
        try {
            return (int) LISTEN.invokeExact(STATE.get(), fd, backlog);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int accept4(int fd, int flags) {
        try {
            return (int) ACCEPT4.invokeExact(STATE.get(), fd, MemorySegment.NULL, MemorySegment.NULL, flags);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int connect(int fd, MemorySegment address, int bytes) {
        try {
            return (int) CONNECT.invokeExact(STATE.get(), fd, address, bytes);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long sendmsg(int fd, MemorySegment message, int flags) {
        try {
            return (long) SENDMSG.invokeExact(STATE.get(), fd, message, flags);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static long recvmsg(int fd, MemorySegment message, int flags) {
        try {
            return (long) RECVMSG.invokeExact(STATE.get(), fd, message, flags);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int shutdown(int fd, int how) {
        try {
            return (int) SHUTDOWN.invokeExact(STATE.get(), fd, how);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int getsockopt(int fd, int option, MemorySegment value, MemorySegment bytes) {
        try {
            return (int) GETSOCKOPT.invokeExact(STATE.get(), fd, SOL_SOCKET, option, value, bytes);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int setsockopt(int fd, int option, MemorySegment value) {
        try {
            return (int) SETSOCKOPT.invokeExact(STATE.get(), fd, SOL_SOCKET, option, value, (int) value.byteSize());
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int fchmod(int fd, int mode) {
        try {
            return (int) FCHMOD.invokeExact(STATE.get(), fd, mode);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int fcntl(int fd, int command, int argument) {
        try {
            return (int) FCNTL.invokeExact(STATE.get(), fd, command, argument);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int memfdCreate(MemorySegment name, int flags) {
        try {
            return (int) MEMFD_CREATE.invokeExact(STATE.get(), name, flags);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int eventfd(int value, int flags) {
        try {
            return (int) EVENTFD.invokeExact(STATE.get(), value, flags);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int inotifyInit(int flags) {
        try {
            return (int) INOTIFY_INIT1.invokeExact(STATE.get(), flags);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int inotifyAddWatch(int fd, MemorySegment path, int mask) {
        try {
            return (int) INOTIFY_ADD_WATCH.invokeExact(STATE.get(), fd, path, mask);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int inotifyRemoveWatch(int fd, int watch) {
        try {
            return (int) INOTIFY_RM_WATCH.invokeExact(STATE.get(), fd, watch);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int ftruncate(int fd, long size) {
        try {
            return (int) FTRUNCATE.invokeExact(STATE.get(), fd, size);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int mount(
            MemorySegment source, MemorySegment target, MemorySegment type, long flags, MemorySegment options) {
        try {
            return (int) MOUNT.invokeExact(STATE.get(), source, target, type, flags, options);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int prctl(int operation, long argument) {
        try {
            return (int) PRCTL.invokeExact(STATE.get(), operation, argument, 0L, 0L, 0L);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static int geteuid() {
        try {
            return (int) GETEUID.invokeExact(STATE.get());
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment dlopen(MemorySegment name) {
        try {
            return (MemorySegment) DLOPEN.invokeExact(STATE.get(), name, RTLD_NOW);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    static MemorySegment dlsym(MemorySegment library, MemorySegment symbol) {
        try {
            return (MemorySegment) DLSYM.invokeExact(STATE.get(), library, symbol);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** What the last {@code dlopen} of this thread failed for; a null pointer if it did not. */
    static MemorySegment dlerror() {
        try {
            return (MemorySegment) DLERROR.invokeExact(STATE.get());
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** An environment variable that has a value already keeps it. */
    static int setenvIfAbsent(MemorySegment name, MemorySegment value) {
        try {
            return (int) SETENV.invokeExact(STATE.get(), name, value, 0);
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    /** A downcall itself throws only what Java throws: a closed segment, a wrong thread, no native access. */
    private static RuntimeException unexpected(@Nullable Throwable t) {
        if (t instanceof RuntimeException e) {
            throw e;
        }
        if (t instanceof Error e) {
            throw e;
        }
        throw new AssertionError(t);
    }
}
