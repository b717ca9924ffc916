const { forever, serve } = require('../../lib/control.cjs');
function hotInTypeScript(rows, weigh) {
    const totals = { sum: 0, count: 0 };
    for (const row of rows) {
        totals.sum = (totals.sum * 31 + weigh(row)) | 0;
        totals.count++;
    }
    return totals;
}
const rows = Array.from({ length: 100000 }, (_, id) => ({ id, weight: id % 13 }));
forever(() => {
    hotInTypeScript(rows, (row) => row.weight * 3);
});
serve();
//# sourceMappingURL=hot.js.map