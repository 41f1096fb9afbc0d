import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Sums up the XML reports that surefire and failsafe leave in every room: tests per room and how long they took, those of
 * each rig apart, failed ones by name, skipped ones by reason, and the totals as the last line. {@code ./check} runs it
 * from source. Exits with 1 if a test failed or none ran.
 */
final class TestReports {
    private static final class Room {
        int passed;
        int failed;
        int skipped;
        double seconds;
    }

    /** How much of a failure's message is printed, in characters; the log has all. */
    private static final int MOST_SAID = 400;

    private final Map<String, Room> rooms = new TreeMap<>();
    private final List<String> failures = new ArrayList<>();
    private final Map<String, Integer> reasons = new TreeMap<>();

    public static void main(String[] args) throws Exception {
        TestReports reports = new TestReports();
        for (Path report : reportsIn(Path.of(args[0]))) {
            reports.add(report);
        }
        System.exit(reports.print() ? 0 : 1);
    }

    private static List<Path> reportsIn(Path project) throws IOException {
        List<Path> reports = new ArrayList<>();
        try (Stream<Path> rooms = Files.list(project)) {
            for (Path room : rooms.sorted().toList()) {
                for (String kind : List.of("surefire-reports", "failsafe-reports")) {
                    Path folder = room.resolve("target").resolve(kind);
                    if (Files.isDirectory(folder)) {
                        try (Stream<Path> files = Files.list(folder)) {
                            files.filter(file -> file.getFileName().toString().matches("TEST-.*\\.xml"))
                                    .sorted()
                                    .forEach(reports::add);
                        }
                    }
                }
            }
        }
        return reports;
    }

    private void add(Path report) throws Exception {
        String name = report.getName(report.getNameCount() - 4).toString();
        if (name.equals("rig")) {
            boolean guests =
                    report.getName(report.getNameCount() - 2).toString().equals("failsafe-reports");
            name += guests ? ", guests" : ", qtest";
        }
        Room room = rooms.computeIfAbsent(name, _ -> new Room());
        Document document =
                DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(report.toFile());
        room.seconds += Double.parseDouble(
                document.getDocumentElement().getAttribute("time").replace(",", ""));
        NodeList cases = document.getElementsByTagName("testcase");
        for (int i = 0; i < cases.getLength(); i++) {
            Element test = (Element) cases.item(i);
            Element failure = child(test, "failure", "error");
            Element skip = child(test, "skipped");
            if (failure != null) {
                room.failed++;
                failures.add(name + ": " + test.getAttribute("classname") + "." + test.getAttribute("name") + ": "
                        + inOneLine(failure.getAttribute("message")));
            } else if (skip != null) {
                room.skipped++;
                // Surefire has the reason in an attribute or, as failsafe, in the text, behind the exception's name.
                String said = skip.getAttribute("message") + "\n" + skip.getTextContent();
                String reason = firstLine(said.strip().replaceFirst("^(.*Exception: )?\\s*(Assumption failed: )?", ""));
                reasons.merge(reason.isBlank() ? "without a reason" : reason, 1, Integer::sum);
            } else {
                room.passed++;
            }
        }
    }

    private static Element child(Element test, String... names) {
        for (String name : names) {
            NodeList found = test.getElementsByTagName(name);
            if (found.getLength() > 0) {
                return (Element) found.item(0);
            }
        }
        return null;
    }

    private static String firstLine(String text) {
        return text.strip().lines().findFirst().orElse("");
    }

    /** What a failure says: an assertion's first line may be all blank. */
    private static String inOneLine(String text) {
        String line = text.strip().replaceAll("\\s+", " ");
        return line.length() <= MOST_SAID ? line : line.substring(0, MOST_SAID) + " …";
    }

    private boolean print() {
        int passed = 0;
        int failed = 0;
        int skipped = 0;
        System.out.println();
        for (var entry : rooms.entrySet()) {
            Room room = entry.getValue();
            System.out.printf(
                    "%-12s %5d passed %5d failed %5d skipped %6.0f s%n",
                    entry.getKey(), room.passed, room.failed, room.skipped, room.seconds);
            passed += room.passed;
            failed += room.failed;
            skipped += room.skipped;
        }
        failures.forEach(failure -> System.out.println("FAILED: " + failure));
        reasons.forEach((reason, tests) ->
                System.out.println("SKIPPED: " + reason + " (" + tests + (tests == 1 ? " test)" : " tests)")));
        if (passed + failed == 0) {
            System.out.println("NO TEST RAN");
        }
        System.out.println(passed + " passed, " + failed + " failed, " + skipped + " skipped");
        return failed == 0 && passed > 0;
    }
}
