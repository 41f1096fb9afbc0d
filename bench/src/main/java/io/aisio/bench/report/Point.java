package io.aisio.bench.report;

import java.util.DoubleSummaryStatistics;
import java.util.List;

/**
 * What was measured at one place, over its repetitions.
 *
 * @param mean of them
 * @param min the least
 * @param max the most
 * @param count how many
 */
record Point(double mean, double min, double max, long count) {
    static Point of(List<Double> values) {
        DoubleSummaryStatistics all =
                values.stream().mapToDouble(Double::doubleValue).summaryStatistics();
        return new Point(all.getAverage(), all.getMin(), all.getMax(), all.getCount());
    }
}
