/** Programs that show, one each, how what there is is used. {@code examples/run NAME DEVICE} builds and runs one. */
@NullMarked
package io.aisio.examples;

import org.jspecify.annotations.NullMarked;
