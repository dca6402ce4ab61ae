// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import io.virtcontainers.spi.Deadline;
import java.util.Map;

/**
 * A QMP connection that takes commands.
 *
 * @param events what QEMU tells on it
 */
record QmpSession(QmpClient client, QemuEvents events) {
    /** As {@link QmpClient#execute}. */
    JsonNode execute(String command, Map<String, ?> arguments, Deadline deadline) {
        return client.execute(command, arguments, deadline);
    }
}
