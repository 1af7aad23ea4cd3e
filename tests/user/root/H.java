import java.util.concurrent.*;
import java.util.*;
public class H {
    public static void main(String[] a) throws Exception {
        ExecutorService ex = Executors.newFixedThreadPool(4);
        List<Future<Long>> fs = new ArrayList<>();
        for (int t = 0; t < 8; t++) fs.add(ex.submit(() -> {
            long s = 0; Map<Integer, String> m = new HashMap<>();
            for (int i = 0; i < 300000; i++) { m.put(i % 1000, "x" + i); s = s * 31 + m.get(i % 1000).hashCode(); }
            return s; }));
        Set<Long> r = new HashSet<>();
        for (Future<Long> f : fs) r.add(f.get());
        ex.shutdown();
        if (r.size() != 1) throw new Error("differs");
        System.out.println("java ok " + r);
    }
}
