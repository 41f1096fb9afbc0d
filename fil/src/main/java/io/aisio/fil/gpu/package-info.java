/** Whole files into the memory of a GPU: asked for by this process, by cuFile, or by the GPU itself. */
@NullMarked
package io.aisio.fil.gpu;

import org.jspecify.annotations.NullMarked;
