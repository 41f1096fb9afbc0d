/**
 * A run as one HTML file that needs nothing else: tables, and charts drawn as SVG. Pure functions of a
 * {@link io.aisio.bench.workflow.RunRecord}.
 */
@NullMarked
package io.aisio.bench.report;

import org.jspecify.annotations.NullMarked;
