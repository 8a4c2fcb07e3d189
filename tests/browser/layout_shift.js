// Adds up how far the page moves by itself while it loads (Chromium's layout instability), and notes what moved.
window.shifted = 0;
window.moved = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    window.shifted += entry.value;
    for (const { node, previousRect, currentRect } of entry.sources)
      window.moved.push([entry.value, node?.outerHTML?.slice(0, 200), previousRect.toJSON(), currentRect.toJSON()]);
  }
}).observe({ type: "layout-shift", buffered: true });
