/** What a backend implements, and what it builds on. Applications need nothing from here. */
@NullMarked
package io.aisio.xnvme.spi;

import org.jspecify.annotations.NullMarked;
