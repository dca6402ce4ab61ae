// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.ContainerStatus;
import io.virtcontainers.RootFs;
import io.virtcontainers.SandboxBusyException;
import io.virtcontainers.oci.OciState;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** {@code list}: all containers of a root. */
final class ListCommand {
    private static final List<Option> OPTIONS =
            List.of(Option.value("format", "f"), Option.flag("quiet", "q"), Option.flag("kata-all"));

    private static final List<String> TITLES = List.of("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
    private static final int CELL = 12;
    private static final int PADDING = 3;

    private ListCommand() {}

    private record Row(
            Entry entry,
            OciState.Status status,
            long pid,
            Instant created,
            String owner,
            Optional<ContainerStatus> known) {
        List<String> cells() {
            return List.of(
                    entry.id(),
                    Long.toString(pid),
                    status.toString(),
                    entry.bundle().toString(),
                    time(),
                    owner);
        }

        /** RFC 3339, as Go's programs print it. */
        String time() {
            return DateTimeFormatter.ISO_OFFSET_DATE_TIME.format(created.atZone(ZoneId.systemDefault()));
        }
    }

    static int run(GlobalOptions options, List<String> words) throws IOException {
        Arguments arguments = Arguments.parse("list", words, OPTIONS);
        String format = arguments.value("format").orElse("table");
        if (!format.equals("table") && !format.equals("json")) {
            throw new UsageException("list: invalid format option: " + format);
        }
        try (Containers containers = Containers.open(options)) {
            List<Row> rows = new ArrayList<>();
            for (Entry entry : containers.registry().all()) {
                rows.add(row(containers, entry));
            }
            if (arguments.is("quiet")) {
                rows.forEach(row -> System.out.println(row.entry().id()));
            } else if (format.equals("json")) {
                System.out.println(json(rows));
            } else {
                table(rows).forEach(System.out::println);
            }
            return 0;
        }
    }

    private static Row row(Containers containers, Entry entry) throws IOException {
        Path file = containers.registry().file(entry.id());
        Instant claimed = Files.getLastModifiedTime(file).toInstant();
        String owner = Files.getOwner(file).getName();
        try {
            Optional<ContainerStatus> known = containers.known(entry);
            OciState.Status status = Containers.status(entry, known);
            return new Row(
                    entry,
                    status,
                    status == OciState.Status.STOPPED ? 0 : entry.supervisor().pid(),
                    known.map(ContainerStatus::createdAt).orElse(claimed),
                    owner,
                    known);
        } catch (SandboxBusyException booting) {
            return new Row(entry, OciState.Status.CREATING, entry.supervisor().pid(), claimed, owner, Optional.empty());
        }
    }

    private static String json(List<Row> rows) {
        ArrayNode all = JsonNodeFactory.instance.arrayNode();
        for (Row row : rows) {
            ObjectNode json = all.addObject()
                    .put("ociVersion", row.entry().ociVersion())
                    .put("id", row.entry().id())
                    .put("pid", row.pid())
                    .put("status", row.status().toString())
                    .put("bundle", row.entry().bundle().toString())
                    .put("rootfs", row.known().map(ListCommand::rootfs).orElse(""))
                    .put("created", row.time());
            ObjectNode annotations = json.putObject("annotations");
            row.known().ifPresent(known -> known.annotations().forEach(annotations::put));
            json.put("owner", row.owner());
        }
        return all.toString();
    }

    private static String rootfs(ContainerStatus container) {
        RootFs rootfs = container.rootfs();
        return rootfs instanceof RootFs.Directory directory
                ? directory.path().toString()
                : rootfs instanceof RootFs.Image image ? image.path().toString() : "";
    }

    /** Columns of at least 12 characters, with 3 between them. */
    private static List<String> table(List<Row> rows) {
        List<List<String>> lines = new ArrayList<>(List.of(TITLES));
        rows.forEach(row -> lines.add(row.cells()));
        List<String> texts = new ArrayList<>();
        for (List<String> line : lines) {
            StringBuilder text = new StringBuilder();
            for (int column = 0; column < line.size(); column++) {
                text.append(line.get(column));
                if (column < line.size() - 1) {
                    int at = column;
                    int width = lines.stream()
                            .mapToInt(other -> other.get(at).length() + PADDING)
                            .max()
                            .orElse(0);
                    text.append(
                            " ".repeat(Math.max(CELL, width) - line.get(column).length()));
                }
            }
            texts.add(text.toString());
        }
        return texts;
    }
}
