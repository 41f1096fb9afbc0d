package io.aisio.fil;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.ProviderMismatchException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.regex.PatternSyntaxException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Paths of our file system beside those of the JDK on Linux, which must be the same in everything but their bytes. */
class PathAlgebraTest {
    private static final int PAIRS = 20_000;
    private static final String ALPHABET = "ab./";

    @TempDir
    private static Path folder;

    private static FileSystem ours;
    private static final FileSystem JDK = FileSystems.getDefault();

    @BeforeAll
    static void open() throws Exception {
        Xfs xfs = new Xfs(folder).with("a", 1).make();
        ours = FileSystems.newFileSystem(URI.create("aisio:emu:" + xfs.image), Map.of());
    }

    @AfterAll
    static void close() throws Exception {
        if (ours != null) {
            ours.close();
        }
    }

    /** All texts of up to six characters. */
    private static List<String> texts() {
        List<String> texts = new ArrayList<>(List.of(""));
        for (int i = 0; i < texts.size() && texts.get(i).length() < 6; i++) {
            for (char c : ALPHABET.toCharArray()) {
                texts.add(texts.get(i) + c);
            }
        }
        return texts;
    }

    @Test
    void takesPathsApartAsTheJdkDoes() {
        for (String text : texts()) {
            assertThat(apart(ours.getPath(text))).as("'%s'", text).isEqualTo(apart(JDK.getPath(text)));
        }
    }

    private static List<String> apart(Path path) {
        List<String> parts = new ArrayList<>(List.of(
                path.toString(),
                "" + path.isAbsolute(),
                "" + path.getRoot(),
                "" + path.getFileName(),
                "" + path.getParent(),
                "" + path.getNameCount(),
                "" + path.normalize()));
        path.forEach(name -> parts.add(name.toString()));
        for (int from = -1; from <= path.getNameCount(); from++) {
            int begin = from;
            for (int to = from; to <= path.getNameCount() + 1; to++) {
                int end = to;
                parts.add(result(() -> path.subpath(begin, end)));
            }
            parts.add(result(() -> path.getName(begin)));
        }
        return parts;
    }

    /** What comes out, or the kind of exception. */
    private static String result(Callable<?> call) {
        try {
            return "" + call.call();
        } catch (Exception e) {
            return e.getClass().getName();
        }
    }

    @Test
    void putsPathsTogetherAsTheJdkDoes() {
        List<String> texts = texts();
        Random random = new Random(5);
        for (int i = 0; i < PAIRS; i++) {
            String a = texts.get(random.nextInt(texts.size()));
            String b = random.nextInt(4) == 0
                    ? a + "/" + texts.get(random.nextInt(20))
                    : texts.get(random.nextInt(texts.size()));
            assertThat(together(ours.getPath(a), ours.getPath(b)))
                    .as("'%s' and '%s'", a, b)
                    .isEqualTo(together(JDK.getPath(a), JDK.getPath(b)));
        }
    }

    private static List<String> together(Path a, Path b) {
        return List.of(
                a.resolve(b).toString(),
                a.resolveSibling(b).toString(),
                result(() -> a.relativize(b)),
                "" + a.startsWith(b),
                "" + a.endsWith(b),
                "" + Integer.signum(a.compareTo(b)),
                "" + a.equals(b),
                "" + (a.hashCode() == b.hashCode()),
                a.getFileSystem().getPath(a.toString(), "", b.toString(), "x").toString());
    }

    @Test
    void relativizeLeadsBack() {
        List<String> texts = texts();
        Random random = new Random(6);
        for (int i = 0; i < PAIRS; i++) {
            Path a = ours.getPath("/" + texts.get(random.nextInt(texts.size()))).normalize();
            Path b = ours.getPath("/" + texts.get(random.nextInt(texts.size()))).normalize();
            assertThat((Object) a.resolve(a.relativize(b)).normalize()).isEqualTo(b);
            assertThat((Object) Path.of(a.toUri())).isEqualTo(a);
        }
    }

    @Test
    void ordersPathsByTheirBytes() {
        List<String> names =
                List.of("", "a", "b", "\u007f", "\u00e9", "\ud7ff", "\ue000", "\uffff", "\ud83d\ude00", "ab");
        for (String a : names) {
            for (String b : names) {
                assertThat(Integer.signum(ours.getPath(a).compareTo(ours.getPath(b))))
                        .as("%s %s", a, b)
                        .isEqualTo(Integer.signum(JDK.getPath(a).compareTo(JDK.getPath(b))));
            }
        }
    }

    @Test
    void matchesGlobsAsTheJdkDoes() {
        String alphabet = "ab*?[]{},!-./";
        Random random = new Random(7);
        int compiled = 0;
        for (int i = 0; i < PAIRS; i++) {
            StringBuilder glob = new StringBuilder("glob:");
            for (int length = random.nextInt(9); length >= 0; length--) {
                glob.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            if (glob.indexOf("-[") >= 0) {
                // A range that ends in a bracket: the JDK takes the bracket for one of its regular expression's.
                continue;
            }
            PathMatcher expected;
            try {
                expected = JDK.getPathMatcher(glob.toString());
            } catch (PatternSyntaxException e) {
                assertThat(result(() -> ours.getPathMatcher(glob.toString())))
                        .as(glob.toString())
                        .isEqualTo(PatternSyntaxException.class.getName());
                continue;
            }
            PathMatcher matcher = ours.getPathMatcher(glob.toString());
            compiled++;
            for (String text :
                    List.of("", "a", "b", "ab", "a/b", "-", "a-", ".a", "b.a", "a,b", "!", "]", "}", "/", "/a")) {
                assertThat(matcher.matches(ours.getPath(text)))
                        .as("%s of '%s'", glob, text)
                        .isEqualTo(expected.matches(JDK.getPath(text)));
            }
        }
        assertThat(compiled).isGreaterThan(PAIRS / 4);
        for (String glob :
                List.of("\\*", "\\[a\\]", "*.{java,class}", "[a-c]?", "[!a]", "[^a]", "[a^]", "[&]", "a+(b)$")) {
            for (String text :
                    List.of("*", "[a]", "A.java", "x.class", "b1", "d1", "a", "^", "b", "&", "a+(b)$", "aab")) {
                assertThat(ours.getPathMatcher("glob:" + glob).matches(ours.getPath(text)))
                        .as("%s of '%s'", glob, text)
                        .isEqualTo(JDK.getPathMatcher("glob:" + glob).matches(JDK.getPath(text)));
            }
        }
        assertThatThrownBy(() -> ours.getPathMatcher("glob:\\")).isInstanceOf(PatternSyntaxException.class);
        assertThatThrownBy(() -> ours.getPathMatcher("shell:a")).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> ours.getPathMatcher("a")).isInstanceOf(IllegalArgumentException.class);
        assertThat(ours.getPathMatcher("regex:a+/.").matches(ours.getPath("aa/b")))
                .isTrue();
    }

    @Test
    void refusesWhatNoFileIsNamed() {
        assertThatThrownBy(() -> ours.getPath("a\0b")).isInstanceOf(InvalidPathException.class);
        assertThatThrownBy(() -> ours.getPath("\ud800")).isInstanceOf(InvalidPathException.class);
        assertThatThrownBy(() -> ours.getPath("\udc7f")).isInstanceOf(InvalidPathException.class);
        assertThatThrownBy(() -> ours.getPath("a").resolve(JDK.getPath("b")))
                .isInstanceOf(ProviderMismatchException.class);
        assertThat(ours.getPath("a").startsWith(JDK.getPath("a"))).isFalse();
        assertThat((Object) ours.getPath("a")).isNotEqualTo(JDK.getPath("a"));
    }

    @Test
    void takesTwoSpellingsOfTheSameBytesForOne() {
        // The bytes of an e with an acute accent, each alone.
        Path escaped = ours.getPath("x\udcc3\udca9");
        assertThat((Object) escaped).isEqualTo(ours.getPath("x\u00e9"));
        Path latin = ours.getPath("/x\udce9!#?%");
        assertThat(latin.toUri().toString()).endsWith("!/x%E9%21%23?%25");
        assertThat((Object) Path.of(latin.toUri())).isEqualTo(latin);
    }
}
