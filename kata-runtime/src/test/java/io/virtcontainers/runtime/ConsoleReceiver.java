// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/**
 * An engine's side of {@code --console-socket}: takes the master of a terminal, writes there what it is told, and keeps
 * what it reads in a file. In Perl, as Java cannot take an open file from a socket.
 */
final class ConsoleReceiver implements AutoCloseable {
    private static final String PROGRAM = """
            use Socket; $| = 1; my ($path, $log, $rows, $columns) = @ARGV;
            socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; bind($s, sockaddr_un($path)) or die; listen($s, 1) or die;
            print "listening\\n"; accept(my $c, $s) or die;
            my ($data, $control) = ("\\0" x 64, "\\0" x 24);
            my $vector = pack("P Q", $data, 64);
            my $message = pack("Q L x4 P Q P Q i x4", 0, 0, $vector, 1, $control, 24, 0);
            die "recvmsg" if syscall(47, fileno($c), $message, 0) < 1;
            my $fd = (unpack("Q i i i", $control))[3];
            open(my $t, "+<&=", $fd) or die; print "received\\n";
            if (fork() == 0) {
                open(my $l, ">", $log) or die; $l->autoflush(1);
                while (sysread($t, my $b, 4096)) { print $l $b; }
                exit 0;
            }
            while (my $line = <STDIN>) {
                if ($line =~ /^size (\\d+) (\\d+)/) { ioctl($t, 0x5414, pack("S4", $1, $2, 0, 0)) or die; }
                else { syswrite($t, $line); }
            }
            """;

    private final Process process;
    private final BufferedReader out;
    private final Path log;
    final Path socket;

    ConsoleReceiver(Path directory) throws IOException {
        socket = directory.resolve("console.sock");
        log = directory.resolve("console.log");
        process = new ProcessBuilder("perl", "-MIO::Handle", "-e", PROGRAM, socket.toString(), log.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        out = process.inputReader(UTF_8);
        assertThat(out.readLine()).isEqualTo("listening");
    }

    void awaitTerminal() throws IOException {
        assertThat(out.readLine()).isEqualTo("received");
    }

    void write(String line) throws IOException {
        OutputStream in = process.getOutputStream();
        in.write((line + "\n").getBytes(UTF_8));
        in.flush();
    }

    void resize(int rows, int columns) throws IOException {
        write("size " + rows + " " + columns);
    }

    void awaitOutput(String text) {
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(() -> assertThat(Files.readString(log, UTF_8)).contains(text));
    }

    @Override
    public void close() {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }
}
