// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import io.virtcontainers.HostCheck;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VirtException;

/** What a program says besides an error that tells of one thing that the host lacks: all the others. */
final class HostLacks {
    private HostLacks() {}

    /** Prints on stderr each thing that is missing for a machine with these settings, with what to do. */
    static void printAfter(Throwable error, HypervisorConfig settings) {
        if (!(error instanceof HostSetupException)) {
            return;
        }
        try (VirtContainers vc = VirtContainers.open()) {
            vc.check(settings).stream()
                    .filter(HostCheck::isFailed)
                    .filter(check -> !check.finding().equals(error.getMessage()))
                    .forEach(System.err::println);
        } catch (VirtException e) {
            return; // what cannot even be opened, is what the error tells of
        }
    }
}
