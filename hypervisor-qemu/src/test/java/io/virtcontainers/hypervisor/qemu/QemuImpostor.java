// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A program in the place of QEMU on a host whose first vsock addresses are all taken: notes its arguments, refuses the first
 * of them as QEMU does, and after that speaks QMP, and boots nothing.
 */
final class QemuImpostor {
    private static final Pattern QMP = Pattern.compile("socket,id=qmp,.*path=(.*)");

    private QemuImpostor() {}

    /** Arguments: the file for the notes, how many addresses are taken, and those of QEMU. */
    public static void main(String[] arguments) throws IOException {
        Path notes = Path.of(arguments[0]);
        String line = String.join(" ", arguments);
        Files.writeString(notes, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        if (Files.readAllLines(notes).size() <= Integer.parseInt(arguments[1])) {
            new PrintStream(new FileOutputStream(FileDescriptor.err), true)
                    .println("qemu-system-x86_64: -device vhost-vsock-pci,guest-cid=7: vhost-vsock: unable to set guest"
                            + " cid: Address already in use");
            System.exit(1);
        }
        String socket = List.of(arguments).stream()
                .map(QMP::matcher)
                .filter(Matcher::matches)
                .findFirst()
                .orElseThrow()
                .group(1);
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            send(channel, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}");
            BufferedReader commands = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
            for (String command = commands.readLine(); command != null; command = commands.readLine()) {
                send(channel, "{\"return\": {}, \"id\": " + command.replaceAll(".*\"id\": *([^,}]*).*", "$1") + "}");
                if (command.contains("\"quit\"")) {
                    return;
                }
            }
        }
    }

    private static void send(SocketChannel channel, String line) throws IOException {
        channel.write(ByteBuffer.wrap((line + "\r\n").getBytes(StandardCharsets.UTF_8)));
    }
}
