package io.aisio.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What {@code ./aisio} does before Java starts: in a copy of the project that has the real launcher and the real app,
 * but for Maven a script that lays the app where Maven does and notes that it was called.
 */
@Tag("slow")
class LauncherIT {
    private static final String JAVA = System.getProperty("java.home");

    @TempDir
    private Path temporary;

    /** The copy. Its path has spaces. */
    private Path project;

    @BeforeEach
    void copyTheProject() throws IOException {
        Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString("rwxr-xr-x"));
        project = Files.createDirectory(temporary.resolve("a project"));
        Path scripts = Files.createDirectories(project.resolve("cli/src/main/sh"));
        assumeTrue(Files.isDirectory(Shell.ROOT.resolve("cli/src")), "needs the sources");
        for (String script : List.of("jdk.sh", "start.sh")) {
            Files.copy(Shell.ROOT.resolve("cli/src/main/sh").resolve(script), scripts.resolve(script));
        }
        Files.copy(Shell.ROOT.resolve("aisio"), project.resolve("aisio"));
        Files.createFile(project.resolve("pom.xml"));
        Files.createFile(project.resolve("cli/pom.xml"));
        Files.createDirectory(project.resolve(".mvn"));
        for (Path path : everythingIn(project)) {
            Files.setLastModifiedTime(path, FileTime.from(Instant.now().minus(Duration.ofHours(1))));
        }
        maven("mkdir -p cli/target/app && cp -r '" + Shell.ROOT.resolve("cli/target/app/lib")
                + "' cli/target/app/ && touch cli/target/app/stamp");
    }

    @Test
    void buildsOnFirstUseAndSaysSoAndNeverAgain() throws IOException {
        launcher("--version")
                .run()
                .succeeds()
                .prints("aisio 0.")
                .says("aisio: building", project.resolve("target/build.log").toString(), "aisio: built in");
        Shell.Result second = launcher("--version").run().succeeds();
        assertThat(second.err()).isEmpty();
        assertThat(builds()).isEqualTo(1);
    }

    @Test
    void buildsAgainWhenASourceIsYounger() throws IOException {
        launcher("--version").run().succeeds();
        Path source = Files.createFile(project.resolve("cli/src/main/New.java"));
        Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(1)));
        launcher("--version").with("AISIO_BUILD", "never").run().succeeds();
        assertThat(builds()).isEqualTo(1);
        launcher("--version").run().succeeds().says("aisio: building");
        assertThat(builds()).isEqualTo(2);
    }

    @Test
    void buildsOnceWhenStartedTwiceAtATime() throws IOException {
        maven("sleep 1; "
                + Files.readString(project.resolve("mvnw")).lines().toList().getLast());
        Shell.Running one = launcher("--version").start();
        Shell.Running other = launcher("--version").start();
        one.await().succeeds();
        other.await().succeeds();
        assertThat(builds()).isEqualTo(1);
    }

    @Test
    void showsTheErrorsOfABuildThatFails() throws IOException {
        maven("echo '[INFO] noise'; echo '[ERROR] Foo.java:[3,7] not a statement'; exit 1");
        Shell.Result result = launcher("--version").run().exits(Exit.FAILED);
        result.says(
                "the build failed", project.resolve("target/build.log").toString(), "Foo.java:[3,7] not a statement");
        assertThat(result.err()).doesNotContain("noise");
        assertThat(result.out()).isEmpty();
        assertThat(project.resolve("target/build.log")).content().contains("noise");
    }

    @Test
    void refusesInOneLineToBuildWhereItMayNotWrite() throws IOException {
        List<String> somebody = List.of();
        if ("root".equals(System.getProperty("user.name"))) {
            // Root may write anywhere: become nobody.
            assumeTrue(Files.exists(Path.of("/usr/bin/setpriv")), "needs setpriv (apt-get install util-linux)");
            somebody = List.of("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups");
        } else {
            for (Path path : everythingIn(project)) {
                if (Files.isDirectory(path)) {
                    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("r-xr-xr-x"));
                }
            }
        }
        String[] command = Stream.concat(
                        somebody.stream(), Stream.of(project.resolve("aisio").toString(), "--help"))
                .toArray(String[]::new);
        Shell.program("env", command)
                .with("JAVA_HOME", JAVA)
                .without("AISIO_BUILD")
                .run()
                .failsWith(Exit.FAILED, "no write permission in " + project, "next:");
    }

    @Test
    void refusesToStartWhatIsNotBuilt() {
        launcher("--help").with("AISIO_BUILD", "never").run().failsWith(Exit.FAILED, "not built");
    }

    @ParameterizedTest
    @ValueSource(strings = {"17.0.15", "25", "25.0.2", "1.8.0_402"})
    void refusesAJavaThatIsTooOldAndNamesItAndWhatToDo(String version) throws IOException {
        Path old = fakeJdk("old", version);
        launcher("--help")
                .with("JAVA_HOME", old.toString())
                .with("PATH", old.resolve("bin") + ":/usr/bin:/bin")
                .with("AISIO_JDK_PATH", "")
                .run()
                .failsWith(Exit.FAILED, "25.0.3 or newer", version + " in " + old, "Next: ", "JAVA_HOME");
    }

    @Test
    void saysSoWhenThereIsNoJava() throws IOException {
        Path tools = Files.createDirectory(temporary.resolve("tools"));
        for (String tool : List.of("bash", "env", "readlink", "find")) {
            script(tools.resolve(tool), "exec " + Path.of("/usr/bin", tool) + " \"$@\"");
        }
        launcher("--help")
                .without("JAVA_HOME")
                .with("PATH", tools.toString())
                .with("AISIO_JDK_PATH", "")
                .run()
                .failsWith(Exit.FAILED, "25.0.3 or newer", "found nothing in JAVA_HOME, PATH");
    }

    @Test
    void saysThatARuntimeCannotBuild() throws IOException {
        Path runtime = fakeJdk("runtime", "26.0.1");
        Files.delete(runtime.resolve("bin/javac"));
        launcher("--help")
                .with("JAVA_HOME", runtime.toString())
                .with("PATH", "/nonexistent:/usr/bin:/bin")
                .with("AISIO_JDK_PATH", "")
                .run()
                .exits(Exit.FAILED)
                .says("26.0.1 in " + runtime + ", without the compiler javac");
    }

    @Test
    void takesTheNewestOfTheUsualFoldersWhenTheFirstChoicesAreTooOld() throws IOException {
        Path old = fakeJdk("old", "17.0.15");
        Path good = fakeJdk("good", "25.0.3");
        Path better = fakeJdk("better", "25.0.10");
        Path older = fakeJdk("older", "25.0.9");
        launcher("--help")
                .with("JAVA_HOME", old.toString())
                .with("PATH", old.resolve("bin") + ":/usr/bin:/bin")
                .with("AISIO_JDK_PATH", good + ":" + better + ":" + older)
                .run()
                .exits(42)
                .prints("this is " + better);
    }

    @Test
    void takesJavaHomeBeforeANewerOne() throws IOException {
        Path chosen = fakeJdk("chosen", "25.0.3");
        Path newer = fakeJdk("newer", "27-ea");
        launcher("--help")
                .with("JAVA_HOME", chosen.toString())
                .with("AISIO_JDK_PATH", newer.toString())
                .run()
                .exits(42)
                .prints("this is " + chosen);
    }

    @Test
    void worksThroughALinkFromAnotherFolderAndKeepsSpacesInArguments() throws IOException {
        launcher("--version").run().succeeds();
        Path link = Files.createSymbolicLink(temporary.resolve("my aisio"), project.resolve("aisio"));
        Shell.program(link.toString(), "no  such command")
                .with("JAVA_HOME", JAVA)
                .in(temporary)
                .run()
                .failsWith(Exit.USAGE, "no command 'no  such command'");
    }

    @Test
    void startsQuietlyWhenItsArchiveIsOfNoUse() throws IOException {
        launcher("--version").run().succeeds();
        Path archive = project.resolve("cli/target/app/start-" + System.getProperty("java.version") + ".aot");
        assertThat(archive).isNotEmptyFile();
        Files.writeString(archive, "not an archive");
        assertThat(launcher("--version").run().succeeds().err()).isEmpty();
        Files.delete(archive);
        assertThat(launcher("--version")
                        .with("AISIO_BUILD", "never")
                        .run()
                        .succeeds()
                        .err())
                .isEmpty();
    }

    @Test
    void handsMoreFlagsToTheJvm() {
        launcher("--version").run().succeeds();
        launcher("--version")
                .with("AISIO_JAVA_OPTS", "-Xlog:gc+init=info:stderr -Xmx128m")
                .run()
                .succeeds()
                .says("Heap Initial Capacity: 64M", "Heap Max Capacity: 128M");
    }

    private Shell launcher(String argument) {
        return Shell.program(project.resolve("aisio").toString(), argument)
                .with("JAVA_HOME", JAVA)
                .without("AISIO_BUILD")
                .without("AISIO_JAVA_OPTS");
    }

    /** Puts a script in Maven's place. */
    private void maven(String commands) throws IOException {
        script(project.resolve("mvnw"), "echo called >> calls\n" + commands);
    }

    private int builds() throws IOException {
        return Files.readAllLines(project.resolve("calls")).size();
    }

    /** A JDK as far as the launcher can see; its java only says where it is and exits with 42. */
    private Path fakeJdk(String name, String version) throws IOException {
        Path jdk = Files.createDirectories(temporary.resolve("jdks").resolve(name));
        Files.writeString(jdk.resolve("release"), "IMPLEMENTOR=\"Nobody\"\nJAVA_VERSION=\"" + version + "\"\n");
        Path bin = Files.createDirectory(jdk.resolve("bin"));
        for (String program : List.of("java", "javac")) {
            script(bin.resolve(program), "echo this is " + jdk + "\nexit 42");
        }
        return jdk;
    }

    private static void script(Path file, String commands) throws IOException {
        Files.writeString(file, "#!/bin/bash\n" + commands + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static List<Path> everythingIn(Path folder) throws IOException {
        try (Stream<Path> paths = Files.walk(folder)) {
            return paths.sorted(Comparator.reverseOrder()).toList();
        }
    }
}
