// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.Container;
import io.virtcontainers.HostProcess;
import io.virtcontainers.VirtException;
import io.virtcontainers.oci.Bundle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;

/** {@code create ID} makes a container that waits for {@code start}; {@code run ID} does both, and waits for its end. */
final class CreateCommand {
    private CreateCommand() {}

    static int create(GlobalOptions options, List<String> words) throws IOException {
        create(options, CreateOptions.parse("create", words));
        return 0;
    }

    private static void create(GlobalOptions options, CreateOptions create) throws IOException {
        Bundle bundle = Bundle.load(create.bundle()); // a mistake shows at once
        boolean terminal = bundle.spec().process().orElseThrow().terminal();
        requireSocket(terminal, create);
        SupervisorProcess supervisor = Terminals.with(
                create.consoleSocket().filter(socket -> terminal),
                device -> SupervisorProcess.start(options, "create", create.words(), device));
        writePid(create.pidFile(), supervisor.pid());
    }

    private static void requireSocket(boolean terminal, CreateOptions create) {
        if (terminal && create.consoleSocket().isEmpty()) {
            throw new UsageException("create: process.terminal is true: --console-socket is needed");
        }
    }

    static int run(GlobalOptions options, List<String> words) throws IOException {
        CreateOptions create = CreateOptions.parse("run", words);
        if (create.detach()) {
            create(options, create);
            try (Containers containers = Containers.open(options)) {
                start(containers, create.id());
            }
            return 0;
        }
        return inForeground(options, create);
    }

    private static void start(Containers containers, String id) throws IOException {
        try {
            StartCommand.start(containers, containers.registry().get(id));
        } catch (VirtException | IOException e) {
            DeleteCommand.delete(containers, containers.registry().get(id), /* force= */ true);
            throw e;
        }
    }

    /** This process is the supervisor. */
    private static int inForeground(GlobalOptions options, CreateOptions create) throws IOException {
        try (Containers containers = Containers.open(options)) {
            Container container = new Creation(containers, create.id(), create.bundle(), options).make();
            boolean terminal = container.config().process().terminal().isPresent();
            Optional<Console> console = terminal ? Optional.of(Console.raw()) : Optional.empty();
            try {
                writePid(create.pidFile(), HostProcess.current().pid());
                Relay relay = new Relay(container.process(), terminal);
                relay.start();
                StartCommand.start(containers, containers.registry().get(create.id()));
                return relay.await();
            } finally {
                if (console.isPresent()) {
                    console.get().close();
                }
                DeleteCommand.delete(containers, containers.registry().get(create.id()), /* force= */ true);
            }
        }
    }

    /** The last act, and a whole file at once: engines take it for the completion. */
    static void writePid(Optional<Path> file, long pid) throws IOException {
        if (file.isPresent()) {
            Path target = file.get();
            Path temporary = target.resolveSibling('.' + String.valueOf(target.getFileName()));
            Files.writeString(temporary, Long.toString(pid));
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
        }
    }
}
