/** Files by their extents, through queues of the devices that hold them. */
@NullMarked
package io.aisio.fil.device;

import org.jspecify.annotations.NullMarked;
