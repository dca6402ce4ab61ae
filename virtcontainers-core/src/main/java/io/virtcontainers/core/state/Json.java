// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.std.FromStringDeserializer;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.virtcontainers.GuestRoot;
import io.virtcontainers.Mount;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.RootFs;
import java.io.IOException;
import java.nio.file.Path;

/**
 * How the API's records become JSON: field by field under their own names, so that a new field is kept without a line of
 * code. A reader ignores what it does not know.
 */
final class Json {
    static final ObjectMapper MAPPER = JsonMapper.builder()
            .addModule(new Jdk8Module())
            .addModule(new JavaTimeModule())
            .addModule(paths())
            .addMixIn(RootFs.class, RootFsType.class)
            .addMixIn(GuestRoot.class, GuestRootType.class)
            .addMixIn(Mount.class, MountType.class)
            .addMixIn(NetworkConfig.class, NetworkType.class)
            // Only the components of records, not isEmpty() and its like.
            .disable(MapperFeature.AUTO_DETECT_IS_GETTERS)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES, DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS, SerializationFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
            .build();

    private Json() {}

    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
    @JsonSubTypes({
        @JsonSubTypes.Type(value = RootFs.Directory.class, name = "directory"),
        @JsonSubTypes.Type(value = RootFs.Image.class, name = "image"),
        @JsonSubTypes.Type(value = RootFs.Shared.class, name = "shared"),
        @JsonSubTypes.Type(value = RootFs.Disk.class, name = "disk")
    })
    private interface RootFsType {}

    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
    @JsonSubTypes({
        @JsonSubTypes.Type(value = GuestRoot.BuiltIn.class, name = "builtIn"),
        @JsonSubTypes.Type(value = GuestRoot.Initrd.class, name = "initrd"),
        @JsonSubTypes.Type(value = GuestRoot.Image.class, name = "image")
    })
    private interface GuestRootType {}

    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
    @JsonSubTypes({
        @JsonSubTypes.Type(value = Mount.Bind.class, name = "bind"),
        @JsonSubTypes.Type(value = Mount.Shared.class, name = "shared"),
        @JsonSubTypes.Type(value = Mount.Persistent.class, name = "persistent"),
        @JsonSubTypes.Type(value = Mount.Tmpfs.class, name = "tmpfs"),
        @JsonSubTypes.Type(value = Mount.Volume.class, name = "volume")
    })
    private interface MountType {}

    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
    @JsonSubTypes({
        @JsonSubTypes.Type(value = NetworkConfig.None.class, name = "none"),
        @JsonSubTypes.Type(value = NetworkConfig.User.class, name = "user"),
        @JsonSubTypes.Type(value = NetworkConfig.Namespace.class, name = "namespace"),
        @JsonSubTypes.Type(value = NetworkConfig.Veth.class, name = "veth")
    })
    private interface NetworkType {}

    /** As they were given; Jackson's own way makes them absolute URIs. */
    private static SimpleModule paths() {
        SimpleModule module = new SimpleModule();
        module.addSerializer(new StdSerializer<>(Path.class) {
            private static final long serialVersionUID = 1L;

            @Override
            public void serialize(Path path, JsonGenerator json, SerializerProvider provider) throws IOException {
                json.writeString(path.toString());
            }
        });
        module.addDeserializer(Path.class, new FromStringDeserializer<>(Path.class) {
            private static final long serialVersionUID = 1L;

            @Override
            protected Path _deserialize(String value, DeserializationContext context) {
                return Path.of(value);
            }
        });
        return module;
    }
}
