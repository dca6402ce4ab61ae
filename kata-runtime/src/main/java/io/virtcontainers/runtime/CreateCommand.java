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
            start(options, create.id());
            return 0;
        }
        return inForeground(options, create);
    }

    private static void start(GlobalOptions options, String id) throws IOException {
        try {
            int unused = StartCommand.run(options, List.of(id));
        } catch (VirtException | IOException e) {
            int unused = DeleteCommand.run(options, List.of("--force", id));
            throw e;
        }
    }

    /** This process is the supervisor. */
    private static int inForeground(GlobalOptions options, CreateOptions create) throws IOException {
        try (Containers containers = Containers.open(options)) {
            Creation creation = new Creation(containers, create.id(), create.bundle(), options);
            Container container = creation.make();
            boolean terminal = container.config().process().terminal().isPresent();
            Optional<Console> console = terminal ? Optional.of(Console.raw()) : Optional.empty();
            try (SupervisorServer server = SupervisorServer.start(options.root(), containers, creation.entry())) {
                writePid(create.pidFile(), HostProcess.current().pid());
                Relay relay = new Relay(Relay.Subject.of(container.process()), terminal);
                relay.start();
                StartCommand.start(containers, creation.entry());
                int code = relay.await();
                server.awaitIdle();
                return code;
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
