/**
 * Tests in a virtual machine of their own: what needs a kernel's drivers, an IOMMU and NVMe controllers that it may break.
 *
 * <pre>{@code
 *   host                                          guest, one for each Hardware
 *   GuestRigIT ── rig/run --devices NAME -- java ──► CaseRunner NAME
 *       ▲                                               │  runs every case of NAME's suites, one after the other
 *       └────────── standard output, a line an event ◄──┘  (CaseEvent)
 *   a dynamic test for each case
 * }</pre>
 *
 * JUnit's launcher alone would take ten seconds in the guest, whose processor is emulated; so one JVM a guest runs all
 * cases, and JUnit shows them on the host.
 *
 * <h2>To add a case</h2>
 *
 * Write a static method without parameters into a suite, such as {@link io.aisio.rig.OneControllerCases}, with a name
 * that reads as a sentence. It has failed if it throws, it is skipped if it throws {@link io.aisio.rig.NeedsException}, and
 * it has {@link io.aisio.rig.CaseRunner#LIMIT} to end. Methods run in the order of their names, and each leaves the
 * machine as it found it, controllers with the kernel's driver.
 *
 * <pre>{@code
 *   static void vfioPciTakesAControllerAndGivesItBack() {
 *       Machine.load("vfio-pci");
 *       try (BoundFunction function = Machine.bind("0000:01:00.0", "vfio-pci")) {
 *           assertThat(function.iommuGroup()).isNotNegative();
 *       }
 *   }
 * }</pre>
 *
 * A new suite is a class with such methods, named in {@link io.aisio.rig.Hardware}, as often as there is hardware that it is
 * to run on. New hardware is a file in {@code rig/devices} and a constant there.
 *
 * {@link io.aisio.rig.Machine} has what cases do to the guest: load modules, bind drivers, read sysfs, run programs, start
 * a second JVM that may be killed, have a controller pulled, wait for a condition.
 *
 * <pre>{@code
 *   rig/run --devices one -- …       by hand
 *   ./mvnw -pl rig -am verify -Dtest=NONE -Dit.test=GuestRigIT -Drig.hardware=ONE -Drig.case=vfioPci…
 * }</pre>
 */
@NullMarked
package io.aisio.rig;

import org.jspecify.annotations.NullMarked;
