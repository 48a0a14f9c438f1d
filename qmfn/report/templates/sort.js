// A click on a heading sorts its table: numbers fall first, words rise first, a second click turns it round.
const order = (a, b) => (Number.isNaN(a - b) ? a.localeCompare(b, "en", { numeric: true }) : a - b);
for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    heading.firstElementChild.addEventListener("click", () => {
      const key = (row) => row.cells[heading.cellIndex].dataset.sort ?? row.cells[heading.cellIndex].textContent;
      const before = heading.ariaSort;
      const rising = before ? before === "descending" : heading.classList.contains("word");
      const rows = [...table.tBodies[0].rows].sort((a, b) => (rising ? order(key(a), key(b)) : order(key(b), key(a))));
      for (const other of table.tHead.rows[0].cells) other.ariaSort = null;
      heading.ariaSort = rising ? "ascending" : "descending";
      table.tBodies[0].append(...rows);
    });
  }
}
