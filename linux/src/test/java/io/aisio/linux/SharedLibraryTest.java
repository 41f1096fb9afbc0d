package io.aisio.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Libraries that every machine has, some that none has, and one that is broken. */
class SharedLibraryTest {
    @TempDir
    Path folder;

    @Test
    void callsAFunctionOfALibrary() throws Throwable {
        SharedLibrary math = SharedLibrary.open(List.of("libm.so.6"));
        MethodHandle cosine = math.function("cos", FunctionDescriptor.of(JAVA_DOUBLE, JAVA_DOUBLE));
        assertThat((double) Objects.requireNonNull(cosine).invokeExact(0.0)).isEqualTo(1.0);
        assertThat(math.name()).isEqualTo("libm.so.6");
    }

    @Test
    void opensTheFirstThatLoads() throws IOException {
        assertThat(SharedLibrary.open(List.of("libaisio-none.so.1", "libm.so.6", "libc.so.6"))
                        .name())
                .isEqualTo("libm.so.6");
    }

    @Test
    void tellsThatALibraryIsNotThere() {
        assertThatThrownBy(() -> SharedLibrary.open(List.of("libaisio-none.so.1", "libaisio-none.so.2")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("libaisio-none.so.1")
                .hasMessageContaining("No such file or directory");
    }

    /** The one that is there is the one to mend. */
    @Test
    void tellsWhyALibraryThatIsThereDoesNotLoad() throws IOException {
        Path broken = Files.writeString(folder.resolve("libbroken.so"), "no ELF");
        assertThatThrownBy(() -> SharedLibrary.open(List.of("libaisio-none.so.1", broken.toString())))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(broken.toString())
                .hasMessageContaining("file too short");
    }

    @Test
    void hasNoFunctionThatTheLibraryDoesNotHave() throws IOException {
        SharedLibrary math = SharedLibrary.open(List.of("libm.so.6"));
        assertThat(math.function("aisio_none", FunctionDescriptor.ofVoid())).isNull();
        assertThat(math.functionWithErrno("aisio_none", FunctionDescriptor.ofVoid()))
                .isNull();
    }

    @Test
    void keepsTheErrnoOfACall() throws Throwable {
        MethodHandle access = SharedLibrary.open(List.of("libc.so.6"))
                .functionWithErrno("access", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom("/no/such/file");
            assertThat((int) Objects.requireNonNull(access).invokeExact(SharedLibrary.errnoState(), name, 0))
                    .isEqualTo(-1);
            assertThat(SharedLibrary.errno()).isEqualTo(Errno.ENOENT);
        }
    }

    @Test
    void setsAVariableThatLibrariesSeeUnlessItIsSet() throws Throwable {
        MethodHandle getenv =
                SharedLibrary.open(List.of("libc.so.6")).function("getenv", FunctionDescriptor.of(ADDRESS, ADDRESS));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom("AISIO_SHARED_LIBRARY_TEST");
            for (String value : List.of("first", "second")) {
                SharedLibrary.setVariableIfAbsent("AISIO_SHARED_LIBRARY_TEST", value);
                MemorySegment seen =
                        (MemorySegment) Objects.requireNonNull(getenv).invokeExact(name);
                assertThat(seen.reinterpret(16).getString(0)).isEqualTo("first");
            }
        }
    }
}
