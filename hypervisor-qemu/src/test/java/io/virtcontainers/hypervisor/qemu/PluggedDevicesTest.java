// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.virtcontainers.Device;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The QMP commands by which a PCI device of the host is passed through, which no machine of the tests has. */
@Timeout(30)
class PluggedDevicesTest {
    private static final Plug GPU = PluggableDevices.plug(
            new Device.Vfio("gpu", "0000:01:00.0"), HypervisorConfig.defaults(), new AgentAccess(List.of(), "none"));

    @TempDir
    Path directory;

    private final QemuEvents events = new QemuEvents();
    private FakeQemu qemu;
    private PluggedDevices devices;

    @BeforeEach
    void connect() throws IOException {
        qemu = new FakeQemu(directory);
        qemu.negotiate();
        devices = new PluggedDevices(new Link() {
            @Override
            public <T> T call(Deadline deadline, Function<QmpSession, T> action) {
                return action.apply(new QmpSession(qemu.client, events));
            }

            @Override
            public QemuEvents events() {
                return events;
            }

            @Override
            public String console() {
                return "";
            }

            @Override
            public CompletableFuture<Void> drained() {
                return new CompletableFuture<>();
            }

            @Override
            public void close() {}
        });
    }

    @AfterEach
    void close() throws IOException {
        qemu.close();
    }

    private JsonNode next(String command) throws IOException {
        JsonNode next = qemu.next();
        assertThat(next.path("execute").asText()).isEqualTo(command);
        return next;
    }

    private void refuse(JsonNode command, String description) throws IOException {
        qemu.send("{\"error\": {\"class\": \"GenericError\", \"desc\": \"" + description + "\"}, \"id\": "
                + command.get("id") + "}");
    }

    private void refuseAllHostSides() throws IOException {
        Set<String> asked = new HashSet<>();
        for (int i = 0; i < 3; i++) {
            JsonNode removal = qemu.next();
            asked.add(removal.path("execute").asText());
            refuse(removal, "Chardev 'x' not found");
        }
        assertThat(asked).containsExactlyInAnyOrder("blockdev-del", "netdev_del", "chardev-remove");
    }

    @Test
    void aPciDeviceOfTheHostIsPluggedInAndOut() throws Exception {
        CompletableFuture<String> adding = CompletableFuture.supplyAsync(() -> devices.add(GPU, seconds(20)));
        qemu.answer(next("qom-list"), "[{\"name\": \"serial0\"}]");
        JsonNode add = next("device_add");
        JsonNode device = add.path("arguments");
        assertThat(device.path("driver").asText()).isEqualTo("vfio-pci");
        assertThat(device.path("host").asText()).isEqualTo("0000:01:00.0");
        assertThat(device.path("bus").asText()).isEqualTo("pci-bridge-0");
        assertThat(device.path("addr").asText()).isEqualTo("01");
        String name = device.path("id").asText();
        qemu.answer(add, "{}");
        assertThat(adding.get(10, TimeUnit.SECONDS)).isEqualTo("02/01");

        CompletableFuture<Void> removing = CompletableFuture.runAsync(() -> devices.remove("gpu", seconds(20)));
        qemu.answer(next("qom-list"), "[{\"name\": \"" + name + "\"}]");
        JsonNode delete = next("device_del");
        assertThat(delete.path("arguments").path("id").asText()).isEqualTo(name);
        qemu.answer(delete, "{}");
        assertThat(removing).isNotDone();
        events.accept(new com.fasterxml.jackson.databind.ObjectMapper()
                .readTree("{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"" + name + "\"}}"));
        refuseAllHostSides();
        removing.get(10, TimeUnit.SECONDS);
    }

    @Test
    void oneThatQemuRefusesIsATypedErrorWithItsWords() throws Exception {
        CompletableFuture<String> adding = CompletableFuture.supplyAsync(() -> devices.add(GPU, seconds(20)));
        qemu.answer(next("qom-list"), "[]");
        refuse(next("device_add"), "vfio 0000:01:00.0: group 7 is not viable");
        assertThatThrownBy(() -> adding.get(10, TimeUnit.SECONDS))
                .isInstanceOf(ExecutionException.class)
                .cause()
                .isInstanceOf(HypervisorException.class)
                .hasMessage("cannot plug in the PCI device 0000:01:00.0: vfio 0000:01:00.0: group 7 is not viable");
    }

    @Test
    void oneThatTheGuestKeepsIsATypedErrorAtTheDeadline() throws Exception {
        Deadline soon = Deadline.after(java.time.Duration.ofMillis(300));
        CompletableFuture<Void> removing = CompletableFuture.runAsync(() -> devices.remove("gpu", soon));
        String name = new DeviceNames("gpu").device(Plug.Bus.PCI, 1);
        qemu.answer(next("qom-list"), "[{\"name\": \"" + name + "\"}]");
        qemu.answer(next("device_del"), "{}");
        assertThatThrownBy(() -> removing.get(10, TimeUnit.SECONDS))
                .cause()
                .isInstanceOf(io.virtcontainers.DeadlineExceededException.class)
                .hasMessageContaining("the guest's release of device gpu");
    }
}
