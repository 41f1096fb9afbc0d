package io.aisio.bench.report;

/**
 * A value that stands beside what was measured, as a line.
 *
 * @param label what it is
 * @param value in the unit of the axis
 * @param kind of line: {@code published} or {@code ceiling}
 */
record Mark(String label, double value, String kind) {}
