package io.aisio.cli;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The walls of the house, as ARCHITECTURE.md has them, held against every class file of every room. The module system
 * holds some of them already; it lets a room import what a room beneath it passes on, and it sees no names.
 */
class HouseTest {
    /** Room to the rooms that it may import. A room that is not here fails the test until it is. */
    private static final Map<String, Set<String>> MAY_IMPORT = Map.ofEntries(
            Map.entry("linux", Set.of()),
            Map.entry("upcie", Set.of("linux")),
            Map.entry("xal", Set.of("linux")),
            Map.entry("nvme", Set.of("upcie", "linux")),
            Map.entry("xnvme", Set.of("nvme", "upcie", "linux")),
            Map.entry("emu", Set.of("xnvme", "nvme", "upcie", "linux")),
            Map.entry("cuda", Set.of("xnvme", "nvme", "upcie", "linux")),
            Map.entry("homi", Set.of("xal", "xnvme", "nvme", "upcie", "linux")),
            Map.entry("fil", Set.of("cuda", "xal", "xnvme", "nvme", "upcie", "linux")),
            Map.entry("bench", Set.of("fil", "homi", "cuda", "xal", "xnvme", "nvme", "upcie", "linux")),
            Map.entry("cli", Set.of("bench", "fil", "homi", "emu", "cuda", "xnvme", "nvme", "upcie", "xal", "linux")));

    /** Rooms that depend on the JDK and JSpecify's annotations alone. */
    private static final Set<String> CORE = Set.of("linux", "upcie", "xal", "nvme", "xnvme", "emu", "cuda");

    private static JavaClasses house;

    @BeforeAll
    static void readEveryClassFile() {
        assumeTrue(Files.exists(Shell.ROOT.resolve("pom.xml")), "needs the sources");
        house = new ClassFileImporter()
                .importPaths(rooms().map(HouseTest::classFiles).toList());
    }

    static Stream<String> rooms() {
        try (Stream<Path> folders = Files.list(Shell.ROOT)) {
            return folders
                    .filter(folder -> Files.exists(folder.resolve("src/main/java/module-info.java")))
                    .map(folder -> folder.getFileName().toString())
                    .sorted()
                    .toList()
                    .stream();
        } catch (IOException e) {
            throw new AssertionError("cannot list " + Shell.ROOT, e);
        }
    }

    static Stream<String> coreRooms() {
        return CORE.stream().sorted();
    }

    @Test
    void theTableHasEveryRoom() {
        assertThat(new TreeSet<>(MAY_IMPORT.keySet())).isEqualTo(new TreeSet<>(rooms().toList()));
    }

    /** A rule about classes that were not found would hold of anything. */
    @ParameterizedTest
    @MethodSource("rooms")
    void everySourceFileOfARoomIsSeen(String room) throws IOException {
        Path sources = Shell.ROOT.resolve(room).resolve("src/main/java");
        try (Stream<Path> files = Files.walk(sources)) {
            List<String> names = files.map(file -> sources.relativize(file).toString())
                    .filter(name -> name.endsWith(".java")
                            && !name.endsWith("package-info.java")
                            && !name.endsWith("module-info.java"))
                    .map(name ->
                            name.substring(0, name.length() - ".java".length()).replace('/', '.'))
                    .toList();
            assertThat(names).allMatch(name -> name.startsWith("io.aisio." + room + "."), "is in its room's package");
            assertThat(names).allMatch(house::contain, "is among the classes that the rules are held against");
        }
    }

    @ParameterizedTest
    @MethodSource("rooms")
    void importsGoDownOnly(String room) {
        List<String> allowed = new ArrayList<>(List.of(packagesOf(room)));
        MAY_IMPORT.get(room).forEach(lower -> allowed.add(packagesOf(lower)));
        noClasses()
                .that()
                .resideInAPackage(packagesOf(room))
                .should()
                .dependOnClassesThat(
                        resideInAnyPackage("io.aisio..").and(resideOutsideOfPackages(allowed.toArray(String[]::new))))
                .because("an import goes down, never up or sideways")
                .allowEmptyShould(isEmpty(room))
                .check(house);
    }

    @ParameterizedTest
    @MethodSource("coreRooms")
    void coreRoomsNeedTheJdkAlone(String room) {
        classes()
                .that()
                .resideInAPackage(packagesOf(room))
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("java..", "jdk.net..", "org.jspecify.annotations..", "io.aisio..")
                .allowEmptyShould(isEmpty(room))
                .check(house);
    }

    /** They report by what they return and throw: a log line on the hot path costs more than the I/O. */
    @ParameterizedTest
    @MethodSource("coreRooms")
    void coreRoomsDoNotLog(String room) {
        noClasses()
                .that()
                .resideInAPackage(packagesOf(room))
                .should()
                .dependOnClassesThat(resideInAnyPackage("java.util.logging..", "org.slf4j..")
                        .or(com.tngtech.archunit.core.domain.JavaClass.Predicates.type(System.Logger.class)))
                .allowEmptyShould(isEmpty(room))
                .check(house);
    }

    @Test
    void nativeSymbolsAreBoundInLinuxAlone() {
        noClasses()
                .that()
                .resideOutsideOfPackage(packagesOf("linux"))
                .should()
                .dependOnClassesThat()
                .haveNameMatching("java\\.lang\\.foreign\\.(Linker|SymbolLookup)(\\$.*)?")
                .because("exactly one class binds each native library or kernel interface")
                .check(house);
    }

    @Test
    void nothingReachesBehindTheJdk() {
        noClasses()
                .should()
                .dependOnClassesThat(resideInAnyPackage("sun..", "jdk.internal..", "com.sun..")
                        // The modules jdk.httpserver and jdk.management offer these to everybody.
                        .and(resideOutsideOfPackages("com.sun.net.httpserver..", "com.sun.management..")))
                .because("what is needed of memory is in java.lang.foreign")
                .check(house);
    }

    @Test
    void namesSayWhatAClassIs() {
        noClasses()
                .should()
                .haveNameMatching(".*(Util|Utils|Helper|Helpers|Manager|Impl|Base)(\\$.*)?")
                .because("such a name fits any class and tells of none")
                .check(house);
    }

    private static Path classFiles(String room) {
        return Shell.ROOT.resolve(room).resolve("target/classes");
    }

    private static String packagesOf(String room) {
        return "io.aisio." + room + "..";
    }

    /** A room that has only its module-info.java yet; {@link #everySourceFileOfARoomIsSeen} holds for all others. */
    private static boolean isEmpty(String room) {
        return house.stream().noneMatch(type -> type.getPackageName().startsWith("io.aisio." + room));
    }
}
