// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import java.io.IOException;
import java.util.List;

/** {@code pause ID} and {@code resume ID}: freezes the processes of a container, and lets them run on. */
final class PauseCommand {
    private PauseCommand() {}

    static int pause(GlobalOptions options, List<String> words) throws IOException {
        String id = Arguments.parse("pause", words, List.of()).onlyId();
        try (Containers containers = Containers.open(options)) {
            containers.container(id).pause();
            return 0;
        }
    }

    static int resume(GlobalOptions options, List<String> words) throws IOException {
        String id = Arguments.parse("resume", words, List.of()).onlyId();
        try (Containers containers = Containers.open(options)) {
            containers.container(id).resume();
            return 0;
        }
    }
}
