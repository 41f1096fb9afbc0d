package io.aisio.bench.report;

import java.util.ArrayList;
import java.util.List;

/**
 * An axis from 0 in steps of 1, 2 or 5 times a power of ten.
 *
 * @param step from one tick to the next
 * @param end the last tick
 */
record Axis(double step, double end) {
    private static final int TICKS = 5;

    /** One that has room for a value. */
    static Axis upTo(double most) {
        double reach = most > 0 && Double.isFinite(most) ? most : 1;
        double rough = reach / TICKS;
        double power = Math.pow(10, Math.floor(Math.log10(rough)));
        double step = power * 10;
        for (double nice : new double[] {1, 2, 5}) {
            if (nice * power >= rough * (1 - 1e-9)) {
                step = nice * power;
                break;
            }
        }
        return new Axis(step, step * Math.ceil(reach / step - 1e-9));
    }

    List<Double> ticks() {
        List<Double> ticks = new ArrayList<>();
        for (int i = 0; i * step <= end * (1 + 1e-9); i++) {
            ticks.add(i * step);
        }
        return ticks;
    }
}
