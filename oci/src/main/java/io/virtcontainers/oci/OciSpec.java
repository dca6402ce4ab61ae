// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * A container's configuration by the OCI runtime-spec 1.1, {@code config.json}, for Linux. Immutable. It keeps the document
 * that it was read from, beside the typed fields: what those do not know comes out again as it came in.
 */
public final class OciSpec {
    private final ObjectNode json; // not changed any more, and not given out
    private final String ociVersion;
    private final Optional<OciProcess> process;
    private final Optional<OciRoot> root;
    private final Optional<String> hostname;
    private final Optional<String> domainname;
    private final List<OciMount> mounts;
    private final OciHooks hooks;
    private final Map<String, String> annotations;
    private final OciLinux linux;

    private OciSpec(ObjectNode json) {
        this.json = json;
        JsonObject fields = new JsonObject(json, "");
        ociVersion = fields.requiredText("ociVersion");
        process = fields.object("process", OciProcess::of);
        root = fields.object("root", OciRoot::of);
        hostname = fields.text("hostname");
        domainname = fields.text("domainname");
        mounts = fields.objects("mounts", OciMount::of);
        hooks = fields.objectOrEmpty("hooks", OciHooks::of);
        annotations = fields.textMap("annotations");
        linux = fields.objectOrEmpty("linux", OciLinux::of);
    }

    /**
     * Reads a configuration, all of it: a field of a wrong type or range is found here, and not when it is used.
     *
     * @throws io.virtcontainers.InvalidConfigException naming the field: {@code process.args: missing}
     */
    public static OciSpec parse(String json) {
        return new OciSpec(JsonDocument.parse(json));
    }

    static OciSpec parse(byte[] json) {
        return new OciSpec(JsonDocument.parse(json));
    }

    /** This configuration with changes, which are read and checked as any other. */
    OciSpec with(Consumer<ObjectNode> changes) {
        ObjectNode copy = json.deepCopy();
        changes.accept(copy);
        return new OciSpec(copy);
    }

    /** The document, indented by two blanks. */
    public String toJson() {
        return JsonDocument.indented(json);
    }

    public String ociVersion() {
        return ociVersion;
    }

    /** What to run; needed to start a container. */
    public Optional<OciProcess> process() {
        return process;
    }

    public Optional<OciRoot> root() {
        return root;
    }

    public Optional<String> hostname() {
        return hostname;
    }

    public Optional<String> domainname() {
        return domainname;
    }

    /** In the order in which they are made. */
    public List<OciMount> mounts() {
        return mounts;
    }

    public OciHooks hooks() {
        return hooks;
    }

    public Map<String, String> annotations() {
        return annotations;
    }

    /** All is empty in it if the document has no such part. */
    public OciLinux linux() {
        return linux;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof OciSpec spec && spec.json.equals(json);
    }

    @Override
    public int hashCode() {
        return json.hashCode();
    }

    @Override
    public String toString() {
        return json.toString();
    }
}
