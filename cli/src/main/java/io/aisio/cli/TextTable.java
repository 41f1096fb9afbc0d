package io.aisio.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Rows under a line of headings, each column as wide as its widest cell; the last one is not filled up. */
final class TextTable {
    private static final String BETWEEN = "  ";

    private final List<String[]> rows = new ArrayList<>();

    /** @param headings one a column */
    TextTable(String... headings) {
        rows.add(headings.clone());
    }

    /** Adds a row; what there is nothing to say of is a dash. */
    void add(String... cells) {
        rows.add(Arrays.stream(cells)
                .map(cell -> cell.isEmpty() ? "-" : Printable.of(cell))
                .toArray(String[]::new));
    }

    /** Whether there is no row but the headings. */
    boolean isEmpty() {
        return rows.size() == 1;
    }

    /**
     * Prints it.
     *
     * @throws IOException if nobody can read it
     */
    void print(StandardOutput out) throws IOException {
        int[] widths = new int[rows.getFirst().length];
        for (String[] row : rows) {
            for (int i = 0; i < row.length; i++) {
                widths[i] = Math.max(widths[i], row[i].length());
            }
        }
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < row.length; i++) {
                line.append(i == 0 ? "" : BETWEEN).append(row[i]);
                line.repeat(' ', i == row.length - 1 ? 0 : widths[i] - row[i].length());
            }
            out.line(line.toString().stripTrailing());
        }
    }
}
