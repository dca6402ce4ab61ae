// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.HostSetupException;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Path;
import java.util.Optional;

/** The guest agent, a resource of this jar. */
final class AgentBinary {
    private static final int MAX_SIZE = 64 << 20;

    private final URL resource;

    private AgentBinary(URL resource) {
        this.resource = resource;
    }

    /** @throws HostSetupException if there is none for the host's architecture */
    static AgentBinary of(Host host) {
        return new AgentBinary(host.agent()
                .orElseThrow(() -> new HostSetupException("this jar has no guest agent for the architecture "
                        + host.architecture() + ": use an x86_64 host, or build guest/agent for "
                        + host.architecture() + " and package it")));
    }

    /** Names the resource in an index. */
    String location() {
        return resource.toString();
    }

    /** The file whose stamp tells whether the agent changed: the jar or the binary; empty if it is neither. */
    Optional<Path> file() {
        String url = resource.toString();
        try {
            if (url.startsWith("jar:file:") && url.contains("!/")) {
                return Optional.of(Path.of(new URI(url.substring("jar:".length(), url.indexOf("!/")))));
            }
            return url.startsWith("file:") ? Optional.of(Path.of(resource.toURI())) : Optional.empty();
        } catch (URISyntaxException | IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    Content read() throws IOException {
        URLConnection connection = resource.openConnection();
        if (connection instanceof JarURLConnection) {
            connection.setUseCaches(false); // a cached jar would stay open for ever
        }
        try (InputStream in = connection.getInputStream()) {
            byte[] content = in.readNBytes(MAX_SIZE + 1);
            if (content.length > MAX_SIZE) {
                throw new MalformedException("the guest agent has more than " + (MAX_SIZE >> 20) + " MiB");
            }
            return Content.of(content);
        }
    }
}
