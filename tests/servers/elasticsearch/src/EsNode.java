package org.elasticsearch.node; // NodeServiceProvider is package-private

import java.io.PrintStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.IndexScopedSettings;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter;
import org.elasticsearch.env.Environment;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.http.HttpServerTransport;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.ClasspathPlugins;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.plugins.PluginsLoader;
import org.elasticsearch.plugins.PluginsService;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.transport.netty4.Netty4Plugin;

/** EsNode DATA_DIR PORT: a single Elasticsearch node on 127.0.0.1. PORT 0 takes a free port. */
public final class EsNode extends Node {
    EsNode(Settings s, List<Plugin> plugins) {
        super(NodeConstruction.prepareConstruction(new Environment(s, null),
            PluginsLoader.createPluginsLoader(Set.of(), Set.of(), Map.of(), false),
            new NodeServiceProvider() {
                @Override
                PluginsService newPluginService(Environment env, PluginsLoader loader) {
                    return new ClasspathPlugins(s, loader, plugins);
                }
            }, true));
    }

    /** "GET /" (client.info(), client.ping()) lives in the unpublished module rest-root. */
    public static final class Root extends Plugin implements ActionPlugin {
        @Override
        public Collection<RestHandler> getRestHandlers(Settings s, NamedWriteableRegistry r, RestController c, ClusterSettings cs,
                IndexScopedSettings is, SettingsFilter f, IndexNameExpressionResolver res, Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> has) {
            return List.of(new BaseRestHandler() {
                @Override public String getName() { return "main_action"; }
                @Override public List<Route> routes() { return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/")); }
                @Override
                protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
                    Build b = Build.current();
                    return channel -> channel.sendResponse(new RestResponse(RestStatus.OK, channel.newBuilder().startObject()
                        .field("name", s.get("node.name")).field("cluster_name", s.get("cluster.name"))
                        .startObject("version").field("number", b.version()).field("build_flavor", b.flavor()).field("build_type", "maven")
                        .field("build_hash", b.hash()).field("build_date", b.date()).field("build_snapshot", b.isSnapshot())
                        .field("lucene_version", org.apache.lucene.util.Version.LATEST.toString())
                        .field("minimum_wire_compatibility_version", b.minWireCompatVersion())
                        .field("minimum_index_compatibility_version", b.minIndexCompatVersion()).endObject()
                        .field("tagline", "You Know, for Search").endObject()));
                }
            });
        }
    }

    public static void main(String[] args) {
        PrintStream out = System.out;
        System.setOut(System.err); // log4j's default console appender: keep stdout for the one "ready" line
        try {
            run(args, out);
        } catch (Throwable e) { // e.g. port or data folder in use; the node's own threads would keep the JVM alive
            e.printStackTrace();
            System.exit(1);
        }
    }

    private static void run(String[] args, PrintStream out) throws Exception {
        Settings s = Settings.builder()
            .put("path.home", args[0]).putList("path.repo", args[0] + "/snapshots")
            .put("cluster.name", "publog-tests").put("node.name", "n1").put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1").put("http.port", args[1]).put("transport.port", 0)
            .put("indices.breaker.total.use_real_memory", false) // the heap is small and shared with everything
            .put("cluster.routing.allocation.disk.threshold_enabled", false) // a full disk must not turn indices read-only
            .build();
        LogConfigurator.configureESLogging();
        EsNode node = new EsNode(s, List.of(new Netty4Plugin(), new Root(), new AnalysisCommon()));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
                node.awaitClose(20, TimeUnit.SECONDS);
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        node.start();
        int port = node.injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress().getPort();
        String url = "http://127.0.0.1:" + port;
        HttpURLConnection health = (HttpURLConnection) new URL(url + "/_cluster/health?wait_for_status=yellow&timeout=60s").openConnection();
        out.println("ready " + url + " elasticsearch " + Build.current().version() + " health-http-" + health.getResponseCode());
        if (System.getenv("ES_STOP_ON_EOF") != null) { // a test runner that holds our stdin may die by SIGKILL
            while (System.in.read() >= 0) { }
            System.exit(0);
        }
        Thread.currentThread().join();
    }
}
