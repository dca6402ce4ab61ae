// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import io.virtcontainers.Accelerator;
import io.virtcontainers.AgentChannel;
import io.virtcontainers.BlockDriver;
import io.virtcontainers.Capabilities;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestPath;
import io.virtcontainers.GuestRoot;
import io.virtcontainers.HostCgroup;
import io.virtcontainers.HostProcess;
import io.virtcontainers.MachineType;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Mount;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.Resources;
import io.virtcontainers.Rlimit;
import io.virtcontainers.RootFs;
import io.virtcontainers.SharedFs;
import io.virtcontainers.State;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.User;
import java.lang.reflect.Constructor;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** Makes records in which every component, at every depth, has a value that is not its default. */
final class Samples {
    private static final Map<Class<?>, Object> VALUES = Map.ofEntries(
            Map.entry(Accelerator.class, Accelerator.TCG),
            Map.entry(AgentChannel.class, AgentChannel.VSOCK),
            Map.entry(RootFs.class, RootFs.image(Path.of("relative/image.erofs"))),
            Map.entry(GuestRoot.class, GuestRoot.nvdimm(Path.of("guest.img"))),
            Map.entry(MachineType.class, MachineType.PC),
            Map.entry(BlockDriver.class, BlockDriver.VIRTIO_SCSI),
            Map.entry(SharedFs.class, SharedFs.VIRTIO_FS),
            Map.entry(
                    NetworkConfig.class,
                    NetworkConfig.user(new NetworkConfig.PortForward("127.0.0.1", 8080, 80, true))),
            Map.entry(Mount.class, new Mount.Bind(Path.of("src"), GuestPath.of("/dst"), true)),
            Map.entry(
                    HostCgroup.class,
                    new HostCgroup(
                            "/kata/demo", true, Resources.builder().pidsLimit(7).build())),
            Map.entry(Path.class, Path.of("some/where")),
            Map.entry(GuestPath.class, GuestPath.of("/in/side")),
            Map.entry(MemorySize.class, MemorySize.mib(123)),
            Map.entry(Duration.class, Duration.ofMillis(4321)),
            Map.entry(Instant.class, Instant.ofEpochSecond(1_000_000_000, 123_456_789)),
            Map.entry(State.class, State.PAUSED),
            Map.entry(ExitStatus.class, new ExitStatus(137)),
            Map.entry(HostProcess.class, new HostProcess(12, 34, "boot")),
            Map.entry(TerminalSize.class, new TerminalSize(33, 99)),
            Map.entry(Rlimit.class, new Rlimit("RLIMIT_NPROC", 10, Rlimit.UNLIMITED)),
            Map.entry(User.class, new User(7, 8, List.of(9L))),
            Map.entry(Held.Kind.class, Held.Kind.DEVICE),
            Map.entry(Pending.Operation.class, Pending.Operation.ADD_DEVICE),
            Map.entry(OptionalLong.class, OptionalLong.of(5000)),
            Map.entry(String.class, "name1"),
            Map.entry(boolean.class, true),
            Map.entry(int.class, 1),
            Map.entry(long.class, 5L));

    private Samples() {}

    static <T extends Record> T of(Class<T> type) {
        return of(type, "");
    }

    private static <T extends Record> T of(Class<T> type, String component) {
        try {
            RecordComponent[] components = type.getRecordComponents();
            Object[] values = Arrays.stream(components)
                    .map(c -> value(c.getGenericType(), c.getName()))
                    .toArray();
            Constructor<T> constructor = type.getDeclaredConstructor(
                    Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new));
            return constructor.newInstance(values);
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("no sample of " + type + " for " + component, e);
        }
    }

    private static Object value(Type type, String component) {
        if (component.equals("cpus")) {
            return Optional.of("0-1");
        }
        if (component.equals("msize9p")) {
            return 65536;
        }
        if (component.equals("capabilities")) {
            return Optional.of(new Capabilities(
                    List.of("CAP_A"), List.of("CAP_B"), List.of("CAP_C"), List.of("CAP_D"), List.of("CAP_E")));
        }
        if (type instanceof ParameterizedType generic) {
            List<Object> arguments = Arrays.stream(generic.getActualTypeArguments())
                    .map(argument -> value(argument, component + "'s"))
                    .toList();
            Class<?> raw = (Class<?>) generic.getRawType();
            if (raw == List.class) {
                return List.of(arguments.get(0));
            } else if (raw == Map.class) {
                return Map.of(arguments.get(0), arguments.get(1));
            } else if (raw == Optional.class) {
                return Optional.of(arguments.get(0));
            }
            throw new AssertionError("say what a sample of " + type + " is, for " + component);
        }
        Class<?> simple = (Class<?>) type;
        Object known = VALUES.get(simple);
        if (known != null) {
            return known;
        }
        if (simple.isRecord()) {
            return of(simple.asSubclass(Record.class), component);
        }
        if (type == Long.class) {
            return 6L;
        }
        throw new AssertionError("say what a sample of " + type + " is, for " + component);
    }
}
