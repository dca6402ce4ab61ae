// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

/** For work that must be done although the thread was interrupted: ending and undoing. */
final class Interrupts {
    private Interrupts() {}

    /** Runs the work without the interrupt that is pending, which is pending again afterwards. */
    static void heldBack(Runnable work) {
        boolean interrupted = Thread.interrupted();
        try {
            work.run();
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
