import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import java.util.List;

/**
 * A server that speaks MongoDB's protocol on a free loopback port, with its data in memory. It prints its address, and
 * ends when its standard input does, or, with "stay", when it is told to.
 */
public class Server {
    public static void main(String[] args) throws Exception {
        // Drivers of today refuse the wire version that the library announces (8); they speak OP_MSG, which it knows.
        MongoVersion version = new MongoVersion() {
            @Override public List<Integer> getVersionArray() { return List.of(5, 0, 0); }
            @Override public int getWireVersion() { return 13; }
        };
        MongoServer server = new MongoServer(H2Backend.inMemory().version(version));
        server.bind("127.0.0.1", 0);
        System.out.println("mongodb://127.0.0.1:" + server.getLocalAddress().getPort());
        if (args.length > 0 && args[0].equals("stay")) {
            Thread.currentThread().join();
        }
        while (System.in.read() >= 0) {
            // nothing is expected: the end is what it waits for
        }
        server.shutdownNow();
    }
}
