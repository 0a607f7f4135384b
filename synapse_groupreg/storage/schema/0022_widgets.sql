-- Whether the module put the page of the group into its state as a widget: 1 if it did, 0 where nobody here can.
ALTER TABLE groupreg_numbers ADD COLUMN widget INTEGER
