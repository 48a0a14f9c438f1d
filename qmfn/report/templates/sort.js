// A click on a heading sorts its table: numbers fall first, words rise first, a second click turns it round.
for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    heading.firstElementChild.addEventListener("click", () => {
      const column = heading.cellIndex;
      const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
      const words = heading.classList.contains("word");
      const before = heading.ariaSort;
      const rising = before ? before === "descending" : words;
      const compare = words ? (a, b) => key(a).localeCompare(key(b), "en", { numeric: true }) : (a, b) => key(a) - key(b);
      const rows = [...table.tBodies[0].rows].sort((a, b) => (rising ? compare(a, b) : compare(b, a)));
      for (const other of table.tHead.rows[0].cells) other.ariaSort = null;
      heading.ariaSort = rising ? "ascending" : "descending";
      table.tBodies[0].append(...rows);
    });
  }
}
